// Original file: proto/siglip_hd/v1/encoder.proto

import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';

export interface Projector {
  'family'?: (string);
  'digest'?: (string);
  'hiddenSize'?: (number);
  'grid'?: (_siglip_hd_v1_Size | null);
  'anyGrid'?: (boolean);
  'newline'?: (boolean);
}

export interface Projector__Output {
  'family': (string);
  'digest': (string);
  'hiddenSize': (number);
  'grid': (_siglip_hd_v1_Size__Output | null);
  'anyGrid': (boolean);
  'newline': (boolean);
}
