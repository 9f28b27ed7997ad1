import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { exportGraphs, graphFile, graphInput, graphOutputs } from '../../graph-io.ts';
import { exportFormatVersion, manifestFile, manifestJson, type Manifest } from '../../manifest.ts';
import type { ModelPrecision, Precision } from '../../model.ts';
import { gridSide, type TowerGeometry } from '../../tower-geometry.ts';
import { readConfig, readGeometry, type ViewOptions } from '../checkpoint-config.ts';
import type { OutputOptions } from '../choose-outputs.ts';
import { processorFiles, readImageProcessor, type ImageProcessor } from '../image-processor.ts';
import type { WriteOptions } from '../weights-file.ts';
import { writeHashed } from '../write-hashed.ts';
import { copyExport } from './copy-export.ts';
import type { ExportExaminer, ExportPorts } from './export-examiner.ts';
import { ExportProblem } from './export-problem.ts';
import { graphAfter, graphBefore } from './surround.ts';

/** An ONNX export of a vision model, and what is wanted of it. */
export interface ExportContents extends ViewOptions, OutputOptions {
  /** The ONNX file. config.json and the image processor's file lie beside it or in the folder above. */
  readonly path: string;
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
  contents: ExportContents,
  options: WriteOptions = {},
): Promise<Manifest> {
  try {
    const manifest = await fillFolder(folder, contents, options);
    await writeFile(join(folder, manifestFile), manifestJson(manifest));
    return manifest;
  } catch (error) {
    if (!(error instanceof ExportProblem)) throw error;
    const message = `${basename(contents.path)} ${error.message}.`;
    throw invalidArgument(message, error);
  }
}

async function fillFolder(
  folder: string,
  contents: ExportContents,
  { onProgress, signal }: WriteOptions,
): Promise<Manifest> {
  const { path, resize, examiner } = contents;
  const geometry = readGeometry(await readConfig(configFolder(path, 'config.json')));
  requireOwn(contents, geometry);
  const processorFolder = configFolder(path, ...processorFiles);
  const processor = await readImageProcessor(processorFolder, geometry, { resize });
  requireSize(processor, geometry);
  const { preprocessing } = processor;
  const { files: weightsFiles, precision, storedDtype } = await examiner.readWeights(path, signal);
  requirePrecision(contents.precision, precision);
  const copies = await copyExport(folder, path, weightsFiles, { onProgress, signal });
  const ports = await examiner.tryGraph(join(folder, graphFile), geometry, signal);
  requireFreeNames(ports);
  const [beforeFile, , afterFile] = exportGraphs;
  const before = graphBefore(geometry, ports.input, preprocessing.normalisation);
  const after = graphAfter(geometry, ports.output);
  const { architecture, imageSize, patchSize, channels, layers } = geometry;
  const side = gridSide(geometry);
  return {
    formatVersion: exportFormatVersion,
    architecture,
    trained: true,
    imageSize,
    patchSize,
    grid: { width: side, height: side },
    channels,
    layers,
    features: 'last_hidden_state',
    precision,
    ...preprocessing,
    // An export's weights include its positions, so it shares its tower with no other image size.
    towerDigest: createHash('sha256').update(JSON.stringify(copies)).digest('hex'),
    graphs: exportGraphs,
    files: {
      [beforeFile]: await writeHashed(join(folder, beforeFile), [before.encode()]),
      ...copies,
      [afterFile]: await writeHashed(join(folder, afterFile), [after.encode()]),
    },
    provenance: { source: basename(path), storedDtype },
  };
}

/**
 * The folder that has one of an export's JSON files `names`: the graph's own or the one above it, since onnx-community
 * keeps graphs in onnx/. Throws `invalid_argument` when neither has one.
 */
function configFolder(path: string, ...names: readonly string[]): string {
  const folder = dirname(resolve(path));
  const found = [folder, dirname(folder)].find((each) => names.some((name) => existsSync(join(each, name))));
  if (found !== undefined) return found;
  throw invalidArgument(
    `${names.join(' or ')} is missing in ${folder} and in the folder above; an ONNX export is imported with the files of its repository.`,
  );
}

/** An export has one hidden state and one image size. */
function requireOwn(
  { features = [], classToken, pooled, imageSize: wanted }: ExportContents,
  { imageSize }: TowerGeometry,
): void {
  const more = [
    ...features.filter((layer) => layer !== 'last_hidden_state'),
    ...(classToken ? ['--class-token'] : []),
    ...(pooled ? ['--pooled'] : []),
  ];
  if (more.length > 0) {
    throw new ExportProblem(
      `gives last_hidden_state only; for ${more.join(', ')} import the checkpoint that it was made from`,
    );
  }
  if (wanted !== undefined && wanted !== imageSize) {
    throw new ExportProblem(
      `is for ${imageSize} px; for --image-size ${wanted} import the checkpoint that it was made from`,
    );
  }
}

/** An export's positions are not interpolated. */
function requireSize({ imageSize: viewSize }: ImageProcessor, { imageSize }: TowerGeometry): void {
  if (viewSize === imageSize) return;
  throw new ExportProblem(
    `is for ${imageSize} px, and its image processor makes views of ${viewSize} px; import the checkpoint that it was made from`,
  );
}

/** An export keeps its precision. fp32, the default, stands for any. */
function requirePrecision(wanted: Precision, stored: ModelPrecision): void {
  if (wanted === 'fp32' || wanted === stored) return;
  const kept = stored === 'exported' ? 'neither fp32 nor fp16' : stored;
  throw new ExportProblem(
    `is ${kept} and keeps its precision; for ${wanted} import an export of that precision, or the checkpoint that it was made from`,
  );
}

/** In the graph before, the service's input and the export's must have two names; in the graph after, the outputs. */
function requireFreeNames({ input, output }: ExportPorts): void {
  const outputs = Object.values(graphOutputs).flatMap((names) => Object.values<string>(names));
  const taken = input.name === graphInput ? input.name : outputs.find((name) => name === output.name);
  if (taken !== undefined) {
    throw new ExportProblem(
      `has an input or output with the name ${taken}, which the service needs; export it with another name`,
    );
  }
}
