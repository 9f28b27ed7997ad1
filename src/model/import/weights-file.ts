import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { HashedFile } from './hashed-file.ts';
import type { FileDigest } from '../manifest.ts';
import type { GraphWeight } from './linear-builder.ts';
import { resizePositions } from './position-table.ts';
import { quantiseMatrix } from './quantise.ts';
import type { TensorSource } from './tensor-source.ts';
import { weightBytes } from './weights.ts';

export interface WriteOptions {
  /** Called with the bytes of weights written so far and the total; the last call has both equal. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenWeights {
  readonly file: FileDigest;
  /** SHA-256 over the tensors that `isHashed` names, but the positions, in their order, as 64 hex digits. */
  readonly withoutPositions: string;
}

/**
 * Writes a graph's tensors into a new file, each at its place, with a few MB in memory at a time. Rejects as the source
 * does, and with `cancelled` when the signal fires.
 */
export async function writeWeights(
  path: string,
  weights: readonly GraphWeight[],
  source: TensorSource,
  isHashed: (tensor: string) => boolean,
  { onProgress, signal }: WriteOptions,
): Promise<WrittenWeights> {
  const totalBytes = weights.reduce(
    (end, { place }) => Math.max(end, place.offsetBytes + place.sizeBytes),
    0,
  );
  const file = await open(path, 'wx');
  try {
    const output = new HashedFile(file);
    const tower = createHash('sha256');
    for (const weight of weights) {
      await output.append(new Uint8Array(weight.place.offsetBytes - output.sizeBytes));
      for await (const chunk of laidOut(weight, source)) {
        if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
        await output.append(chunk);
        if (weight.layout !== 'positions' && isHashed(weight.tensor)) tower.update(chunk);
        onProgress?.(output.sizeBytes, totalBytes);
      }
    }
    await file.sync();
    return {
      file: { sizeBytes: output.sizeBytes, sha256: output.sha256() },
      withoutPositions: tower.digest('hex'),
    };
  } finally {
    await file.close();
  }
}

/** A weight's bytes as the file stores them; a chunk is valid until the next. */
async function* laidOut(
  weight: GraphWeight,
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
    case 'positions':
      yield await gridPositions(chunks, weight);
      return;
    case 'as stored':
      yield* chunks;
  }
}

/** The position table, read whole and resized to the grid that fills the weight's place. */
async function gridPositions(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  { shape, place }: GraphWeight,
): Promise<Uint8Array<ArrayBuffer>> {
  const [, channels = 1] = shape;
  const table = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const bytes = new Uint8Array(table.buffer);
  let filled = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, filled);
    filled += chunk.byteLength;
  }
  const rows = place.sizeBytes / (channels * Float32Array.BYTES_PER_ELEMENT);
  const side = Math.floor(Math.sqrt(rows));
  const resized = resizePositions({ values: table, channels, classTokens: rows - side * side }, side);
  return new Uint8Array(resized.buffer);
}

/** Reorders rows of [3, height, width] to [height, width, 3]. */
function pixelOrder(chunk: Uint8Array<ArrayBuffer>, { shape, dtype }: GraphWeight): Uint8Array<ArrayBuffer> {
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
