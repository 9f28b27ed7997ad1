// Original file: proto/siglip_hd/v1/encoder.proto

import type { Fusion as _siglip_hd_v1_Fusion, Fusion__Output as _siglip_hd_v1_Fusion__Output } from './Fusion.ts';
import type { Windows as _siglip_hd_v1_Windows, Windows__Output as _siglip_hd_v1_Windows__Output } from './Windows.ts';
import type { ScaleModel as _siglip_hd_v1_ScaleModel, ScaleModel__Output as _siglip_hd_v1_ScaleModel__Output } from './ScaleModel.ts';

export interface TeacherMakeup {
  'scales'?: readonly (number)[];
  'weights'?: readonly (number | string)[];
  'fusion'?: (_siglip_hd_v1_Fusion);
  'windows'?: (_siglip_hd_v1_Windows);
  'models'?: readonly (_siglip_hd_v1_ScaleModel)[];
}

export interface TeacherMakeup__Output {
  'scales': readonly (number)[];
  'weights': readonly (number)[];
  'fusion': (_siglip_hd_v1_Fusion__Output);
  'windows': (_siglip_hd_v1_Windows__Output);
  'models': readonly (_siglip_hd_v1_ScaleModel__Output)[];
}
