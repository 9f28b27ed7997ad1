// Original file: proto/inference/open_inference.proto

import type { DataType as _inference_DataType, DataType__Output as _inference_DataType__Output } from './DataType.ts';
import type { Long } from '@grpc/proto-loader';

export interface ModelOutput {
  'name'?: (string);
  'dataType'?: (_inference_DataType);
  'dims'?: readonly (number | string | Long)[];
}

export interface ModelOutput__Output {
  'name': (string);
  'dataType': (_inference_DataType__Output);
  'dims': readonly (number)[];
}
