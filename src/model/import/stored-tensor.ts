/** A tensor in a file of a checkpoint, checked against the file. */
export interface StoredTensor {
  /** As safetensors calls it: F32, BF16, I64 and others. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Offset in the file of its first element. */
  readonly offsetBytes: number;
  /** From its first element to the end of its last. */
  readonly sizeBytes: number;
  /** Distances in elements between neighbours along each dimension; row-major without gaps when absent. */
  readonly strides?: readonly number[];
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;
