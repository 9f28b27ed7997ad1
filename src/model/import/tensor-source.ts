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

/** The chunks of `tensor` as one array. */
export async function readWhole(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  sizeBytes: number,
  tensor: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(sizeBytes);
  let filled = 0;
  for await (const chunk of ofLength(chunks, sizeBytes, tensor)) {
    whole.set(chunk, filled);
    filled += chunk.byteLength;
  }
  return whole;
}

/** Passes on the chunks of `tensor`, up to `sizeBytes`. Throws at the end if there were more or fewer bytes. */
export async function* ofLength(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  sizeBytes: number,
  tensor: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let passedBytes = 0;
  for await (const chunk of chunks) {
    passedBytes += chunk.byteLength;
    if (passedBytes <= sizeBytes) yield chunk;
  }
  if (passedBytes !== sizeBytes) {
    throw new RangeError(`tensor ${tensor} has ${passedBytes} bytes, not ${sizeBytes}`);
  }
}
