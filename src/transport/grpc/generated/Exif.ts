// Original file: proto/siglip_hd/v1/encoder.proto

export const Exif = {
  EXIF_UNSPECIFIED: 'EXIF_UNSPECIFIED',
  EXIF_APPLY: 'EXIF_APPLY',
  EXIF_IGNORE: 'EXIF_IGNORE',
} as const;

export type Exif =
  | 'EXIF_UNSPECIFIED'
  | 0
  | 'EXIF_APPLY'
  | 1
  | 'EXIF_IGNORE'
  | 2

export type Exif__Output = typeof Exif[keyof typeof Exif]
