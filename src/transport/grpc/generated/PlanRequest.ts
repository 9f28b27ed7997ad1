// Original file: proto/siglip_hd/v1/encoder.proto

import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';
import type { RequestOptions as _siglip_hd_v1_RequestOptions, RequestOptions__Output as _siglip_hd_v1_RequestOptions__Output } from './RequestOptions.ts';
import type { EncodeOptions as _siglip_hd_v1_EncodeOptions, EncodeOptions__Output as _siglip_hd_v1_EncodeOptions__Output } from './EncodeOptions.ts';
import type { TeacherOptions as _siglip_hd_v1_TeacherOptions, TeacherOptions__Output as _siglip_hd_v1_TeacherOptions__Output } from './TeacherOptions.ts';
import type { AnyResOptions as _siglip_hd_v1_AnyResOptions, AnyResOptions__Output as _siglip_hd_v1_AnyResOptions__Output } from './AnyResOptions.ts';

export interface PlanRequest {
  'image'?: (_siglip_hd_v1_Size | null);
  'options'?: (_siglip_hd_v1_RequestOptions | null);
  'encode'?: (_siglip_hd_v1_EncodeOptions | null);
  'teacher'?: (_siglip_hd_v1_TeacherOptions | null);
  'anyres'?: (_siglip_hd_v1_AnyResOptions | null);
  'recipe'?: "encode"|"teacher"|"anyres";
}

export interface PlanRequest__Output {
  'image': (_siglip_hd_v1_Size__Output | null);
  'options': (_siglip_hd_v1_RequestOptions__Output | null);
  'encode'?: (_siglip_hd_v1_EncodeOptions__Output | null);
  'teacher'?: (_siglip_hd_v1_TeacherOptions__Output | null);
  'anyres'?: (_siglip_hd_v1_AnyResOptions__Output | null);
  'recipe'?: "encode"|"teacher"|"anyres";
}
