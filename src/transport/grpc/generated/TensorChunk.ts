// Original file: proto/siglip_hd/v1/encoder.proto

import type { Metadata as _siglip_hd_v1_Metadata, Metadata__Output as _siglip_hd_v1_Metadata__Output } from './Metadata.ts';
import type { Timings as _siglip_hd_v1_Timings, Timings__Output as _siglip_hd_v1_Timings__Output } from './Timings.ts';
import type { AnswerSource as _siglip_hd_v1_AnswerSource, AnswerSource__Output as _siglip_hd_v1_AnswerSource__Output } from './AnswerSource.ts';
import type { Long } from '@grpc/proto-loader';

export interface TensorChunk {
  'metadata'?: (_siglip_hd_v1_Metadata | null);
  'timings'?: (_siglip_hd_v1_Timings | null);
  'offset'?: (number | string | Long);
  'totalBytes'?: (number | string | Long);
  'data'?: (Buffer | Uint8Array | string);
  'source'?: (_siglip_hd_v1_AnswerSource);
}

export interface TensorChunk__Output {
  'metadata': (_siglip_hd_v1_Metadata__Output | null);
  'timings': (_siglip_hd_v1_Timings__Output | null);
  'offset': (number);
  'totalBytes': (number);
  'data': (Buffer);
  'source': (_siglip_hd_v1_AnswerSource__Output);
}
