// Original file: proto/siglip_hd/v1/encoder.proto

import type { FeatureLayer as _siglip_hd_v1_FeatureLayer, FeatureLayer__Output as _siglip_hd_v1_FeatureLayer__Output } from './FeatureLayer.ts';
import type { Dtype as _siglip_hd_v1_Dtype, Dtype__Output as _siglip_hd_v1_Dtype__Output } from './Dtype.ts';
import type { Exif as _siglip_hd_v1_Exif, Exif__Output as _siglip_hd_v1_Exif__Output } from './Exif.ts';
import type { Output as _siglip_hd_v1_Output, Output__Output as _siglip_hd_v1_Output__Output } from './Output.ts';

export interface RequestOptions {
  'model'?: (string);
  'expectDigest'?: (string);
  'expectFeatures'?: (_siglip_hd_v1_FeatureLayer);
  'dtype'?: (_siglip_hd_v1_Dtype);
  'exif'?: (_siglip_hd_v1_Exif);
  'output'?: (_siglip_hd_v1_Output);
  'expectProjectorDigest'?: (string);
  'features'?: readonly (string)[];
}

export interface RequestOptions__Output {
  'model': (string);
  'expectDigest': (string);
  'expectFeatures': (_siglip_hd_v1_FeatureLayer__Output);
  'dtype': (_siglip_hd_v1_Dtype__Output);
  'exif': (_siglip_hd_v1_Exif__Output);
  'output': (_siglip_hd_v1_Output__Output);
  'expectProjectorDigest': (string);
  'features': readonly (string)[];
}
