// Original file: proto/siglip_hd/v1/encoder.proto

export const Recipe = {
  RECIPE_UNSPECIFIED: 'RECIPE_UNSPECIFIED',
  RECIPE_ENCODE: 'RECIPE_ENCODE',
  RECIPE_TEACHER: 'RECIPE_TEACHER',
  RECIPE_ANYRES: 'RECIPE_ANYRES',
} as const;

export type Recipe =
  | 'RECIPE_UNSPECIFIED'
  | 0
  | 'RECIPE_ENCODE'
  | 1
  | 'RECIPE_TEACHER'
  | 2
  | 'RECIPE_ANYRES'
  | 3

export type Recipe__Output = typeof Recipe[keyof typeof Recipe]
