// Original file: proto/siglip_hd/v1/encoder.proto

export const Windows = {
  WINDOWS_UNSPECIFIED: 'WINDOWS_UNSPECIFIED',
  WINDOWS_TILES: 'WINDOWS_TILES',
  WINDOWS_HALF_OVERLAP: 'WINDOWS_HALF_OVERLAP',
  WINDOWS_WHOLE: 'WINDOWS_WHOLE',
} as const;

export type Windows =
  | 'WINDOWS_UNSPECIFIED'
  | 0
  | 'WINDOWS_TILES'
  | 1
  | 'WINDOWS_HALF_OVERLAP'
  | 2
  | 'WINDOWS_WHOLE'
  | 3

export type Windows__Output = typeof Windows[keyof typeof Windows]
