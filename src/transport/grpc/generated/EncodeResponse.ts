// Original file: proto/siglip_hd/v1/encoder.proto

import type { Tensor as _siglip_hd_v1_Tensor, Tensor__Output as _siglip_hd_v1_Tensor__Output } from './Tensor.ts';
import type { Metadata as _siglip_hd_v1_Metadata, Metadata__Output as _siglip_hd_v1_Metadata__Output } from './Metadata.ts';
import type { Timings as _siglip_hd_v1_Timings, Timings__Output as _siglip_hd_v1_Timings__Output } from './Timings.ts';
import type { AnswerSource as _siglip_hd_v1_AnswerSource, AnswerSource__Output as _siglip_hd_v1_AnswerSource__Output } from './AnswerSource.ts';

export interface EncodeResponse {
  'tensor'?: (_siglip_hd_v1_Tensor | null);
  'metadata'?: (_siglip_hd_v1_Metadata | null);
  'timings'?: (_siglip_hd_v1_Timings | null);
  'source'?: (_siglip_hd_v1_AnswerSource);
}

export interface EncodeResponse__Output {
  'tensor': (_siglip_hd_v1_Tensor__Output | null);
  'metadata': (_siglip_hd_v1_Metadata__Output | null);
  'timings': (_siglip_hd_v1_Timings__Output | null);
  'source': (_siglip_hd_v1_AnswerSource__Output);
}
