import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../errors.ts';
import { graphFile, weightsFile } from './graph-io.ts';
import { HashedFile } from './hashed-file.ts';
import {
  formatVersion,
  manifestFile,
  manifestJson,
  type FileDigest,
  type Manifest,
  type Provenance,
} from './manifest.ts';
import type { FeatureLayer, Precision } from './model.ts';
import type { Preprocessing } from './checkpoint-config.ts';
import { gridSide, siglipTower, type SiglipGeometry, type TowerWeight } from './siglip.ts';
import type { TensorSource } from './tensor-source.ts';
import { weightBytes } from './weights.ts';

/** All that makes up a model folder. */
export interface FolderContents {
  readonly geometry: SiglipGeometry;
  readonly preprocessing: Preprocessing;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  readonly trained: boolean;
  readonly source: TensorSource;
  readonly provenance: Provenance;
}

export interface WriteOptions {
  /** Called with the bytes of weights written so far and in all; the last call has both equal. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes graph, weights and model.json into an existing, empty folder. Checks every tensor before it writes the
 * first, and holds a few MB of weights at a time. Gives what it wrote as model.json.
 */
export async function writeModelFolder(
  folder: string,
  contents: FolderContents,
  options: WriteOptions = {},
): Promise<Manifest> {
  const { geometry, preprocessing, features, precision, trained, source, provenance } = contents;
  const tower = siglipTower(geometry, preprocessing.normalisation, features, precision);
  for (const { tensor, shape } of tower.weights) await source.check(tensor, shape);
  const graph = tower.graph.encode();
  await writeFile(join(folder, graphFile), graph);
  const weights = await writeWeights(join(folder, weightsFile), tower.weights, source, options);
  const side = gridSide(geometry);
  const manifest: Manifest = {
    formatVersion,
    architecture: 'siglip',
    trained,
    imageSize: geometry.imageSize,
    patchSize: geometry.patchSize,
    grid: { width: side, height: side },
    channels: geometry.channels,
    layers: geometry.layers,
    features,
    precision,
    ...preprocessing,
    files: {
      [graphFile]: {
        sizeBytes: graph.byteLength,
        sha256: createHash('sha256').update(graph).digest('hex'),
      },
      [weightsFile]: weights,
    },
    provenance,
  };
  await writeFile(join(folder, manifestFile), manifestJson(manifest));
  return manifest;
}

async function writeWeights(
  path: string,
  weights: readonly TowerWeight[],
  source: TensorSource,
  { onProgress, signal }: WriteOptions,
): Promise<FileDigest> {
  const totalBytes = weights.reduce(
    (end, { place }) => Math.max(end, place.offsetBytes + place.sizeBytes),
    0,
  );
  const file = await open(path, 'wx');
  try {
    const output = new HashedFile(file);
    for (const weight of weights) {
      await output.append(new Uint8Array(weight.place.offsetBytes - output.sizeBytes));
      const rowElements = weight.shape.slice(1).reduce((product, size) => product * size, 1);
      for await (const chunk of source.read(weight.tensor, weight.dtype, rowElements)) {
        if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
        await output.append(weight.layout === 'patches' ? pixelOrder(chunk, weight) : chunk);
        onProgress?.(output.sizeBytes, totalBytes);
      }
    }
    await file.sync();
    return { sizeBytes: output.sizeBytes, sha256: output.sha256() };
  } finally {
    await file.close();
  }
}

/** Rows of [3, height, width] as rows of [height, width, 3]. */
function pixelOrder(chunk: Uint8Array<ArrayBuffer>, { shape, dtype }: TowerWeight): Uint8Array<ArrayBuffer> {
  const Elements = weightBytes[dtype] === 4 ? Uint32Array : Uint16Array;
  const from = new Elements(chunk.buffer, chunk.byteOffset, chunk.byteLength / weightBytes[dtype]);
  const to = new Elements(from.length);
  const area = shape[2]! * shape[3]!;
  for (let row = 0; row < from.length; row += area * 3) {
    for (let pixel = 0; pixel < area; pixel += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        to[row + pixel * 3 + channel] = from[row + channel * area + pixel]!;
      }
    }
  }
  return new Uint8Array(to.buffer);
}
