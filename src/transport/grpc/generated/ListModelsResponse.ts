// Original file: proto/siglip_hd/v1/encoder.proto

import type { Model as _siglip_hd_v1_Model, Model__Output as _siglip_hd_v1_Model__Output } from './Model.ts';

export interface ListModelsResponse {
  'models'?: readonly (_siglip_hd_v1_Model)[];
}

export interface ListModelsResponse__Output {
  'models': readonly (_siglip_hd_v1_Model__Output)[];
}
