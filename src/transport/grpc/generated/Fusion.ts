// Original file: proto/siglip_hd/v1/encoder.proto

export const Fusion = {
  FUSION_UNSPECIFIED: 'FUSION_UNSPECIFIED',
  FUSION_AVERAGE: 'FUSION_AVERAGE',
  FUSION_CONCAT: 'FUSION_CONCAT',
  FUSION_UNSHUFFLE_CONCAT: 'FUSION_UNSHUFFLE_CONCAT',
} as const;

export type Fusion =
  | 'FUSION_UNSPECIFIED'
  | 0
  | 'FUSION_AVERAGE'
  | 1
  | 'FUSION_CONCAT'
  | 2
  | 'FUSION_UNSHUFFLE_CONCAT'
  | 3

export type Fusion__Output = typeof Fusion[keyof typeof Fusion]
