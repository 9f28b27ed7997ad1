// Original file: proto/siglip_hd/v1/encoder.proto

import type { Metadata as _siglip_hd_v1_Metadata, Metadata__Output as _siglip_hd_v1_Metadata__Output } from './Metadata.ts';
import type { Long } from '@grpc/proto-loader';

export interface PlanResponse {
  'metadata'?: (_siglip_hd_v1_Metadata | null);
  'tokens'?: (number | string | Long);
  'sizeBytes'?: (number | string | Long);
}

export interface PlanResponse__Output {
  'metadata': (_siglip_hd_v1_Metadata__Output | null);
  'tokens': (number);
  'sizeBytes': (number);
}
