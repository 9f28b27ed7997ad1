import type { WeightDtype } from './weights.ts';

/** Where a tower's weights come from. Tensors have their names in Hugging Face's towers. */
export interface TensorSource {
  /** Rejects with `invalid_argument` and the tensor's name unless it is there with this shape and a usable dtype. */
  check(tensor: string, shape: readonly number[]): Promise<void>;

  /**
   * The tensor's values as `dtype`, little-endian, in chunks of whole rows of `rowElements`. A chunk is valid until the
   * next one is read. Rejects with `invalid_argument` and the tensor's name when a value is NaN, infinite or beyond the
   * dtype.
   */
  read(tensor: string, dtype: WeightDtype, rowElements: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A tensor's chunks as one array. */
export async function readWhole(
  chunks: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(sizeBytes);
  let filled = 0;
  for await (const chunk of chunks) {
    whole.set(chunk, filled);
    filled += chunk.byteLength;
  }
  return whole;
}
