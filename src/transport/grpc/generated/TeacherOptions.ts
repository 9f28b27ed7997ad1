// Original file: proto/siglip_hd/v1/encoder.proto

import type { Fusion as _siglip_hd_v1_Fusion, Fusion__Output as _siglip_hd_v1_Fusion__Output } from './Fusion.ts';
import type { Windows as _siglip_hd_v1_Windows, Windows__Output as _siglip_hd_v1_Windows__Output } from './Windows.ts';
import type { ChannelOrder as _siglip_hd_v1_ChannelOrder, ChannelOrder__Output as _siglip_hd_v1_ChannelOrder__Output } from './ChannelOrder.ts';
import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';

export interface TeacherOptions {
  'scales'?: readonly (number)[];
  'weights'?: readonly (number | string)[];
  'fusion'?: (_siglip_hd_v1_Fusion);
  'windows'?: (_siglip_hd_v1_Windows);
  'channelOrder'?: (_siglip_hd_v1_ChannelOrder);
  'grid'?: (_siglip_hd_v1_Size | null);
}

export interface TeacherOptions__Output {
  'scales': readonly (number)[];
  'weights': readonly (number)[];
  'fusion': (_siglip_hd_v1_Fusion__Output);
  'windows': (_siglip_hd_v1_Windows__Output);
  'channelOrder': (_siglip_hd_v1_ChannelOrder__Output);
  'grid': (_siglip_hd_v1_Size__Output | null);
}
