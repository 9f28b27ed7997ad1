import { createHash } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { exportGraphs, graphFile, graphInput, graphOutputs } from '../../graph-io.ts';
import { isInnerPath } from '../../inner-path.ts';
import { shortJson } from '../../json-object.ts';
import {
  exportFormatVersion,
  type FileDigest,
  manifestFile,
  manifestJson,
  type Manifest,
} from '../../manifest.ts';
import type { FeatureLayer, ModelPrecision, Precision } from '../../model.ts';
import { gridSide } from '../../tower-geometry.ts';
import { readGeometry, readPreprocessing, type ViewOptions } from '../checkpoint-config.ts';
import type { WriteOptions } from '../weights-file.ts';
import { configFolder } from './config-folder.ts';
import { copyFile } from './copy-file.ts';
import type { ExportExaminer, ExportPorts, Finding } from './export-examiner.ts';
import { graphAfter, graphBefore } from './surround.ts';

/** An ONNX export of a vision model, and what is wanted of it. */
export interface ExportContents extends ViewOptions {
  /** The ONNX file. config.json and preprocessor_config.json lie beside it or in the folder above. */
  readonly path: string;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  readonly examiner: ExportExaminer;
}

/** Whether a source is an ONNX file rather than a checkpoint. */
export function isExport(source: string): boolean {
  return source.toLowerCase().endsWith('.onnx');
}

/**
 * Makes a model folder of an ONNX export in an existing, empty folder: copies the export's files as they are, tries
 * the copy, and adds two small graphs that run before and after it. Rejects with `invalid_argument` and one sentence.
 */
export async function writeExportFolder(
  folder: string,
  { path, features, precision: wanted, imageSize: wantedSize, resize, examiner }: ExportContents,
  { onProgress, signal }: WriteOptions = {},
): Promise<Manifest> {
  const fault = (problem: string): ServiceError =>
    new ServiceError('invalid_argument', `${basename(path)} ${problem}.`);
  const valueOf = <Value>(finding: Finding<Value>): Value => {
    if (finding.kind === 'refused') throw fault(finding.problem);
    return finding.value;
  };
  if (features !== 'last_hidden_state') {
    throw fault(`gives last_hidden_state only; for ${features} import the checkpoint that it was made from`);
  }
  const geometry = await readGeometry(await configFolder(path, 'config.json'));
  const { imageSize } = geometry;
  if (wantedSize !== undefined && wantedSize !== imageSize) {
    throw fault(
      `is for ${imageSize} px; for --image-size ${wantedSize} import the checkpoint that it was made from`,
    );
  }
  const preprocessing = await readPreprocessing(
    await configFolder(path, 'preprocessor_config.json'),
    geometry,
    {
      resize,
    },
  );
  const weights = valueOf(await examiner.readWeights(path, signal));
  requirePrecision(wanted, weights.precision, fault);
  const copies = await copyExport(folder, path, weights.files, fault, { onProgress, signal });
  const ports = valueOf(await examiner.tryGraph(join(folder, graphFile), geometry, signal));
  requireFreeNames(ports, fault);
  const [beforeFile, , afterFile] = exportGraphs;
  const before = graphBefore(geometry, ports.input, preprocessing.normalisation).encode();
  const after = graphAfter(geometry, ports.output).encode();
  await writeFile(join(folder, beforeFile), before);
  await writeFile(join(folder, afterFile), after);
  const side = gridSide(geometry);
  const { architecture, patchSize, channels, layers } = geometry;
  const manifest: Manifest = {
    formatVersion: exportFormatVersion,
    architecture,
    trained: true,
    imageSize,
    patchSize,
    grid: { width: side, height: side },
    channels,
    layers,
    features,
    precision: weights.precision,
    ...preprocessing,
    // The positions are somewhere in the export, so every export is a tower of its own.
    towerDigest: createHash('sha256').update(JSON.stringify(copies)).digest('hex'),
    graphs: exportGraphs,
    files: { [beforeFile]: digestOf(before), ...copies, [afterFile]: digestOf(after) },
    provenance: { source: basename(path), storedDtype: weights.storedDtype },
  };
  await writeFile(join(folder, manifestFile), manifestJson(manifest));
  return manifest;
}

type Fault = (problem: string) => ServiceError;

/** The default, fp32, stands for whatever the export has. */
function requirePrecision(wanted: Precision, stored: ModelPrecision, fault: Fault): void {
  if (wanted === 'fp32' || wanted === stored) return;
  const kept = stored === 'exported' ? 'neither fp32 nor fp16' : stored;
  throw fault(
    `is ${kept} and keeps its precision; for ${wanted} import an export of that precision, or the checkpoint that it was made from`,
  );
}

/** Copies the graph as encoder.onnx, and the files of its weights, which it names, under their own names. */
async function copyExport(
  folder: string,
  path: string,
  weightsFiles: readonly string[],
  fault: Fault,
  { onProgress, signal }: WriteOptions,
): Promise<Record<string, FileDigest>> {
  const sources = new Map([[graphFile as string, path]]);
  for (const name of weightsFiles.toSorted()) {
    if (!isInnerPath(name)) throw fault(`keeps weights in ${shortJson(name)}, which is not in its folder`);
    if (name === manifestFile || exportGraphs.some((graph) => graph === name)) {
      throw fault(`keeps weights in ${name}, a name that the model folder has for another file`);
    }
    sources.set(name, join(dirname(path), name));
  }
  let totalBytes = 0;
  for (const [name, source] of sources) {
    const found = await stat(source).catch((error: unknown) => {
      throw fault(`needs ${name} beside it, which cannot be read: ${systemReason(error)}`);
    });
    if (!found.isFile()) throw fault(`needs ${name} beside it, which is not a file`);
    totalBytes += found.size;
  }
  let doneBytes = 0;
  const onChunk = (sizeBytes: number): void => onProgress?.((doneBytes += sizeBytes), totalBytes);
  const copies: Record<string, FileDigest> = {};
  for (const [name, source] of sources) {
    copies[name] = await copyFile(source, join(folder, name), onChunk, signal);
  }
  return copies;
}

/** The graph before has both of its names from the service and the export, and so does the one after. */
function requireFreeNames({ input, output }: ExportPorts, fault: Fault): void {
  const outputs = Object.values(graphOutputs).flatMap((names) => Object.values<string>(names));
  const taken = [
    ...(input.name === graphInput ? [input.name] : []),
    ...outputs.filter((name) => name === output.name),
  ];
  if (taken.length > 0) {
    throw fault(
      `has an input or output with the name ${taken[0]}, which the service needs; export it with another`,
    );
  }
}

function digestOf(bytes: Uint8Array): FileDigest {
  return { sizeBytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}
