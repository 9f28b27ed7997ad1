// Original file: proto/siglip_hd/v1/encoder.proto

import type { Image as _siglip_hd_v1_Image, Image__Output as _siglip_hd_v1_Image__Output } from './Image.ts';
import type { RequestOptions as _siglip_hd_v1_RequestOptions, RequestOptions__Output as _siglip_hd_v1_RequestOptions__Output } from './RequestOptions.ts';
import type { EncodeOptions as _siglip_hd_v1_EncodeOptions, EncodeOptions__Output as _siglip_hd_v1_EncodeOptions__Output } from './EncodeOptions.ts';

export interface EncodeRequest {
  'image'?: (_siglip_hd_v1_Image | null);
  'options'?: (_siglip_hd_v1_RequestOptions | null);
  'encode'?: (_siglip_hd_v1_EncodeOptions | null);
}

export interface EncodeRequest__Output {
  'image': (_siglip_hd_v1_Image__Output | null);
  'options': (_siglip_hd_v1_RequestOptions__Output | null);
  'encode': (_siglip_hd_v1_EncodeOptions__Output | null);
}
