// Original file: proto/siglip_hd/v1/encoder.proto

import type { EncodeRequest as _siglip_hd_v1_EncodeRequest, EncodeRequest__Output as _siglip_hd_v1_EncodeRequest__Output } from './EncodeRequest.ts';
import type { TeacherEncodeRequest as _siglip_hd_v1_TeacherEncodeRequest, TeacherEncodeRequest__Output as _siglip_hd_v1_TeacherEncodeRequest__Output } from './TeacherEncodeRequest.ts';
import type { AnyResEncodeRequest as _siglip_hd_v1_AnyResEncodeRequest, AnyResEncodeRequest__Output as _siglip_hd_v1_AnyResEncodeRequest__Output } from './AnyResEncodeRequest.ts';

export interface StreamEncodeRequest {
  'id'?: (string);
  'encode'?: (_siglip_hd_v1_EncodeRequest | null);
  'teacher'?: (_siglip_hd_v1_TeacherEncodeRequest | null);
  'anyres'?: (_siglip_hd_v1_AnyResEncodeRequest | null);
  'request'?: "encode"|"teacher"|"anyres";
}

export interface StreamEncodeRequest__Output {
  'id': (string);
  'encode'?: (_siglip_hd_v1_EncodeRequest__Output | null);
  'teacher'?: (_siglip_hd_v1_TeacherEncodeRequest__Output | null);
  'anyres'?: (_siglip_hd_v1_AnyResEncodeRequest__Output | null);
  'request'?: "encode"|"teacher"|"anyres";
}
