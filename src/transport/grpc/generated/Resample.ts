// Original file: proto/siglip_hd/v1/encoder.proto

export const Resample = {
  RESAMPLE_UNSPECIFIED: 'RESAMPLE_UNSPECIFIED',
  RESAMPLE_BILINEAR: 'RESAMPLE_BILINEAR',
  RESAMPLE_BICUBIC: 'RESAMPLE_BICUBIC',
  RESAMPLE_LANCZOS: 'RESAMPLE_LANCZOS',
} as const;

export type Resample =
  | 'RESAMPLE_UNSPECIFIED'
  | 0
  | 'RESAMPLE_BILINEAR'
  | 1
  | 'RESAMPLE_BICUBIC'
  | 2
  | 'RESAMPLE_LANCZOS'
  | 3

export type Resample__Output = typeof Resample[keyof typeof Resample]
