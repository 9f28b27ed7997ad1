// Original file: proto/siglip_hd/v1/encoder.proto

import type { Dtype as _siglip_hd_v1_Dtype, Dtype__Output as _siglip_hd_v1_Dtype__Output } from './Dtype.ts';

export interface Tensor {
  'shape'?: readonly (number)[];
  'dtype'?: (_siglip_hd_v1_Dtype);
  'data'?: (Buffer | Uint8Array | string);
}

export interface Tensor__Output {
  'shape': readonly (number)[];
  'dtype': (_siglip_hd_v1_Dtype__Output);
  'data': (Buffer);
}
