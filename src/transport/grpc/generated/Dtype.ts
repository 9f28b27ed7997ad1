// Original file: proto/siglip_hd/v1/encoder.proto

export const Dtype = {
  DTYPE_UNSPECIFIED: 'DTYPE_UNSPECIFIED',
  DTYPE_FLOAT16: 'DTYPE_FLOAT16',
  DTYPE_FLOAT32: 'DTYPE_FLOAT32',
  DTYPE_BFLOAT16: 'DTYPE_BFLOAT16',
} as const;

export type Dtype =
  | 'DTYPE_UNSPECIFIED'
  | 0
  | 'DTYPE_FLOAT16'
  | 1
  | 'DTYPE_FLOAT32'
  | 2
  | 'DTYPE_BFLOAT16'
  | 3

export type Dtype__Output = typeof Dtype[keyof typeof Dtype]
