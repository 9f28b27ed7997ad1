// Original file: proto/inference/open_inference.proto

import type { ModelStatistics as _inference_ModelStatistics, ModelStatistics__Output as _inference_ModelStatistics__Output } from './ModelStatistics.ts';

export interface ModelStatisticsResponse {
  'modelStats'?: readonly (_inference_ModelStatistics)[];
}

export interface ModelStatisticsResponse__Output {
  'modelStats': readonly (_inference_ModelStatistics__Output)[];
}
