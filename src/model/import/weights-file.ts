import { createHash } from 'node:crypto';
import type { FileDigest } from '../manifest.ts';
import type { GraphWeight } from './linear-builder.ts';
import { resizePositions } from './position-table.ts';
import { quantiseMatrix } from './quantise.ts';
import { ofLength, readWhole, type TensorSource } from './tensor-source.ts';
import { weightBytes } from './weights.ts';
import { writeHashed } from './write-hashed.ts';

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
  const ends = weights.map(({ place }) => place.offsetBytes + place.sizeBytes);
  const totalBytes = Math.max(0, ...ends);
  const tower = createHash('sha256');
  const chunks = async function* () {
    for (const [index, weight] of weights.entries()) {
      yield new Uint8Array(weight.place.offsetBytes - (ends[index - 1] ?? 0));
      const { tensor, layout, place } = weight;
      for await (const chunk of ofLength(laidOut(weight, source), place.sizeBytes, tensor)) {
        if (layout !== 'positions' && isHashed(tensor)) tower.update(chunk);
        yield chunk;
      }
    }
  };
  const onWritten = (sizeBytes: number) => onProgress?.(sizeBytes, totalBytes);
  const file = await writeHashed(path, chunks(), onWritten, signal);
  return { file, withoutPositions: tower.digest('hex') };
}

/** A weight's bytes as the file stores them; a chunk is valid until the next. */
async function* laidOut(
  weight: GraphWeight,
  source: TensorSource,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { tensor, dtype, shape, layout, place } = weight;
  const rowElements = shape.slice(1).reduce((product, size) => product * size, 1);
  const chunks = source.read(tensor, dtype, rowElements);
  const tableBytes = rowElements * (shape[0] ?? 1) * weightBytes[dtype];
  switch (layout) {
    case 'int8':
      yield await quantiseMatrix(ofLength(chunks, tableBytes, tensor), shape, place.sizeBytes);
      return;
    case 'patches':
      for await (const chunk of chunks) yield pixelOrder(chunk, weight);
      return;
    case 'positions':
      yield gridPositions(await readWhole(chunks, tableBytes, tensor), weight);
      return;
    case 'as stored':
      yield* chunks;
  }
}

/** The position table resized to the grid that fills the weight's place. */
function gridPositions(
  table: Uint8Array<ArrayBuffer>,
  { shape, place }: GraphWeight,
): Uint8Array<ArrayBuffer> {
  const [, channels = 1] = shape;
  const values = new Float32Array(table.buffer);
  const rows = place.sizeBytes / (channels * Float32Array.BYTES_PER_ELEMENT);
  const side = Math.floor(Math.sqrt(rows));
  const resized = resizePositions({ values, channels, classTokens: rows - side * side }, side);
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
