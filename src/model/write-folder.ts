import { createHash } from 'node:crypto';
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../errors.ts';
import { graphFile, weightsFile } from './graph-io.ts';
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
import { gridSide, siglipTower, type SiglipGeometry, type Tower, type TowerWeight } from './siglip.ts';
import type { FormOf } from './int8-linear.ts';
import { quantiseMatrix } from './quantise.ts';
import type { TensorSource } from './tensor-source.ts';
import { weightBytes } from './weights.ts';

/** All that makes up a model folder. */
export interface FolderContents {
  readonly geometry: SiglipGeometry;
  readonly preprocessing: Preprocessing;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  /** Of an int8 tower's matrices; all are int8 when absent. */
  readonly formOf?: FormOf | undefined;
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
  const tower = towerOf(contents);
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

/** The tower that a folder of these contents holds. */
export function towerOf({ geometry, preprocessing, features, precision, formOf }: FolderContents): Tower {
  return siglipTower(geometry, preprocessing.normalisation, features, precision, formOf);
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
      for await (const chunk of laidOut(weight, source)) {
        if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
        await output.append(chunk);
        onProgress?.(output.sizeBytes, totalBytes);
      }
    }
    await file.sync();
    return { sizeBytes: output.sizeBytes, sha256: output.sha256() };
  } finally {
    await file.close();
  }
}

/** The bytes of a weight as the file has them; a chunk is valid until the next. */
async function* laidOut(
  weight: TowerWeight,
  source: TensorSource,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { tensor, dtype, shape, layout, place } = weight;
  const rowElements = shape.slice(1).reduce((product, size) => product * size, 1);
  const chunks = source.read(tensor, dtype, rowElements);
  switch (layout) {
    case 'int8':
      yield await quantiseMatrix(chunks, shape, place.sizeBytes);
      return;
    case 'patches':
      for await (const chunk of chunks) yield pixelOrder(chunk, weight);
      return;
    case 'as stored':
      yield* chunks;
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

/** Appends to a file, counting and hashing. */
class HashedFile {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  sizeBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    this.#hash.update(bytes);
    await this.#file.writeFile(bytes);
    this.sizeBytes += bytes.byteLength;
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }
}
