// Original file: proto/siglip_hd/v1/encoder.proto

import type { Image as _siglip_hd_v1_Image, Image__Output as _siglip_hd_v1_Image__Output } from './Image.ts';
import type { RequestOptions as _siglip_hd_v1_RequestOptions, RequestOptions__Output as _siglip_hd_v1_RequestOptions__Output } from './RequestOptions.ts';
import type { AnyResOptions as _siglip_hd_v1_AnyResOptions, AnyResOptions__Output as _siglip_hd_v1_AnyResOptions__Output } from './AnyResOptions.ts';

export interface AnyResEncodeRequest {
  'image'?: (_siglip_hd_v1_Image | null);
  'options'?: (_siglip_hd_v1_RequestOptions | null);
  'anyres'?: (_siglip_hd_v1_AnyResOptions | null);
}

export interface AnyResEncodeRequest__Output {
  'image': (_siglip_hd_v1_Image__Output | null);
  'options': (_siglip_hd_v1_RequestOptions__Output | null);
  'anyres': (_siglip_hd_v1_AnyResOptions__Output | null);
}
