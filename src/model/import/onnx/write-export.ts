import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readGeometry, readPreprocessing, type ViewOptions } from '../checkpoint-config.ts';
import { graphFile, weightsFile } from '../../graph-io.ts';
import { formatVersion, manifestFile, manifestJson, type Manifest } from '../../manifest.ts';
import type { FeatureLayer, ModelPrecision, Precision } from '../../model.ts';
import { gridSide } from '../../tower-geometry.ts';
import type { WriteOptions } from '../weights-file.ts';
import { checkNodes } from './check-nodes.ts';
import { compose, type Piece } from './compose.ts';
import { configFolder } from './config-folder.ts';
import { copyPieces } from './copy-pieces.ts';
import { exportPrecision } from './export-precision.ts';
import { exportTower } from './export-tower.ts';
import { locateWeights, type LocatedWeight } from './locate-weights.ts';
import { readExport } from './read-export.ts';
import { graphBehind, graphInFront } from './surround.ts';
import { WireFile } from './wire-file.ts';

/** A vision model that Optimum exported, and what is wanted of it. */
export interface ExportContents extends ViewOptions {
  /** The ONNX file; config.json and preprocessor_config.json lie beside it or in the folder above. */
  readonly path: string;
  readonly features: FeatureLayer;
  readonly precision: Precision;
}

/** Whether a source is an ONNX file rather than a checkpoint. */
export function isExport(source: string): boolean {
  return source.toLowerCase().endsWith('.onnx');
}

/**
 * Writes graph, weights and model.json into an existing, empty folder: the exported graph with the service's inputs
 * and outputs put around it. Reads only the graph's structure, copies weights from file to file, and checks all
 * before it writes. Rejects with `invalid_argument` and one sentence.
 */
export async function writeExportFolder(
  folder: string,
  { path, features, precision, imageSize: wantedSize, resize }: ExportContents,
  { onProgress, signal }: WriteOptions = {},
): Promise<Manifest> {
  const file = await WireFile.open(path);
  try {
    if (features !== 'last_hidden_state') {
      throw file.fault(
        `gives last_hidden_state alone; for ${features} import the checkpoint that it was made from`,
      );
    }
    const model = await readExport(file);
    checkNodes(file, model);
    const geometry = await readGeometry(await configFolder(path, 'config.json'));
    if (wantedSize !== undefined && wantedSize !== geometry.imageSize) {
      throw file.fault(
        `is for ${geometry.imageSize} px; for --image-size ${wantedSize} import the checkpoint that it was made from`,
      );
    }
    const preprocessing = await readPreprocessing(
      await configFolder(path, 'preprocessor_config.json'),
      geometry,
      { resize },
    );
    const tower = exportTower(file, model, geometry);
    const stored = exportPrecision(model);
    requirePrecision(file, precision, stored.precision);
    const weights = await locateWeights(file, path, model.initialisers);
    const front = graphInFront(tower, preprocessing.normalisation);
    const graph = await compose({ file, path, model }, weights, front, graphBehind(tower));

    const totalBytes = weightsEnd(weights);
    const graphDigest = await copyPieces(join(folder, graphFile), graph, { signal });
    const weightsDigest = await copyPieces(join(folder, weightsFile), weightPieces(weights), {
      onProgress: (doneBytes) => onProgress?.(doneBytes, totalBytes),
      signal,
    });
    const side = gridSide(geometry);
    const { imageSize, patchSize, channels, layers } = geometry;
    const manifest: Manifest = {
      formatVersion,
      architecture: geometry.architecture,
      trained: true,
      imageSize,
      patchSize,
      grid: { width: side, height: side },
      channels,
      layers,
      features,
      precision: stored.precision,
      ...preprocessing,
      // An export is a tower of its own: its graph, which may hold weights too, is not told apart from its positions.
      towerDigest: createHash('sha256')
        .update(graphDigest.sha256 + weightsDigest.sha256)
        .digest('hex'),
      files: { [graphFile]: graphDigest, [weightsFile]: weightsDigest },
      provenance: { source: basename(path), storedDtype: stored.storedDtype },
    };
    await writeFile(join(folder, manifestFile), manifestJson(manifest));
    return manifest;
  } finally {
    await file.close();
  }
}

/** fp32 is the default, and stands for whatever the export has. */
function requirePrecision(file: WireFile, wanted: Precision, stored: ModelPrecision): void {
  if (wanted === 'fp32' || wanted === stored) return;
  const kept = stored === 'exported' ? 'neither fp32 nor fp16' : stored;
  throw file.fault(
    `is ${kept} and keeps its own precision; for ${wanted} import such an export, or the checkpoint that it was made from`,
  );
}

/** The weights file: each on a page of its own. */
function* weightPieces(weights: readonly LocatedWeight[]): Generator<Piece, void, undefined> {
  let at = 0;
  for (const weight of weights) {
    if (weight.kind !== 'moved') continue;
    yield new Uint8Array(weight.place.offsetBytes - at);
    yield weight.from;
    at = weight.place.offsetBytes + weight.place.sizeBytes;
  }
}

function weightsEnd(weights: readonly LocatedWeight[]): number {
  return weights.reduce(
    (end, weight) =>
      weight.kind === 'moved' ? Math.max(end, weight.place.offsetBytes + weight.place.sizeBytes) : end,
    0,
  );
}
