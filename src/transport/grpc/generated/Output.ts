// Original file: proto/siglip_hd/v1/encoder.proto

export const Output = {
  OUTPUT_UNSPECIFIED: 'OUTPUT_UNSPECIFIED',
  OUTPUT_FEATURES: 'OUTPUT_FEATURES',
  OUTPUT_EMBEDDINGS: 'OUTPUT_EMBEDDINGS',
  OUTPUT_POOLED: 'OUTPUT_POOLED',
} as const;

export type Output =
  | 'OUTPUT_UNSPECIFIED'
  | 0
  | 'OUTPUT_FEATURES'
  | 1
  | 'OUTPUT_EMBEDDINGS'
  | 2
  | 'OUTPUT_POOLED'
  | 3

export type Output__Output = typeof Output[keyof typeof Output]
