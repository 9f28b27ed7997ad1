// Original file: proto/siglip_hd/v1/encoder.proto

export const FeatureLayer = {
  FEATURE_LAYER_UNSPECIFIED: 'FEATURE_LAYER_UNSPECIFIED',
  FEATURE_LAYER_LAST_HIDDEN_STATE: 'FEATURE_LAYER_LAST_HIDDEN_STATE',
  FEATURE_LAYER_PRE_NORM: 'FEATURE_LAYER_PRE_NORM',
  FEATURE_LAYER_PENULTIMATE: 'FEATURE_LAYER_PENULTIMATE',
} as const;

export type FeatureLayer =
  | 'FEATURE_LAYER_UNSPECIFIED'
  | 0
  | 'FEATURE_LAYER_LAST_HIDDEN_STATE'
  | 1
  | 'FEATURE_LAYER_PRE_NORM'
  | 2
  | 'FEATURE_LAYER_PENULTIMATE'
  | 3

export type FeatureLayer__Output = typeof FeatureLayer[keyof typeof FeatureLayer]
