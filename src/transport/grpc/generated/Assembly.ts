// Original file: proto/siglip_hd/v1/encoder.proto

export const Assembly = {
  ASSEMBLY_UNSPECIFIED: 'ASSEMBLY_UNSPECIFIED',
  ASSEMBLY_MERGE: 'ASSEMBLY_MERGE',
  ASSEMBLY_TILES: 'ASSEMBLY_TILES',
} as const;

export type Assembly =
  | 'ASSEMBLY_UNSPECIFIED'
  | 0
  | 'ASSEMBLY_MERGE'
  | 1
  | 'ASSEMBLY_TILES'
  | 2

export type Assembly__Output = typeof Assembly[keyof typeof Assembly]
