// Original file: proto/siglip_hd/v1/encoder.proto

import type { TensorChunk as _siglip_hd_v1_TensorChunk, TensorChunk__Output as _siglip_hd_v1_TensorChunk__Output } from './TensorChunk.ts';
import type { Failure as _siglip_hd_v1_Failure, Failure__Output as _siglip_hd_v1_Failure__Output } from './Failure.ts';

export interface StreamEncodeResponse {
  'id'?: (string);
  'chunk'?: (_siglip_hd_v1_TensorChunk | null);
  'failure'?: (_siglip_hd_v1_Failure | null);
  'outcome'?: "chunk"|"failure";
}

export interface StreamEncodeResponse__Output {
  'id': (string);
  'chunk'?: (_siglip_hd_v1_TensorChunk__Output | null);
  'failure'?: (_siglip_hd_v1_Failure__Output | null);
  'outcome'?: "chunk"|"failure";
}
