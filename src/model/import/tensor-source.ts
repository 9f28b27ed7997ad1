import type { WeightDtype } from './weights.ts';

/** Where a tower's weights come from: a checkpoint, or made up. Tensors have the names of Hugging Face's tower. */
export interface TensorSource {
  /** Rejects with `invalid_argument`, naming the tensor, unless there is one of this shape and of a usable dtype. */
  check(tensor: string, shape: readonly number[]): Promise<void>;

  /**
   * The tensor's values as `dtype`, little-endian, in chunks of whole rows of `rowElements`. A chunk is valid until
   * the next is asked for. Rejects with `invalid_argument`, naming the tensor, when values are NaN, infinite or
   * beyond the dtype.
   */
  read(tensor: string, dtype: WeightDtype, rowElements: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
}
