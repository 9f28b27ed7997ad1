// Original file: proto/inference/open_inference.proto

import type { Long } from '@grpc/proto-loader';

export interface _inference_ModelMetadataResponse_TensorMetadata {
  'name'?: (string);
  'datatype'?: (string);
  'shape'?: readonly (number | string | Long)[];
}

export interface _inference_ModelMetadataResponse_TensorMetadata__Output {
  'name': (string);
  'datatype': (string);
  'shape': readonly (number)[];
}

export interface ModelMetadataResponse {
  'name'?: (string);
  'versions'?: readonly (string)[];
  'platform'?: (string);
  'inputs'?: readonly (_inference_ModelMetadataResponse_TensorMetadata)[];
  'outputs'?: readonly (_inference_ModelMetadataResponse_TensorMetadata)[];
}

export interface ModelMetadataResponse__Output {
  'name': (string);
  'versions': readonly (string)[];
  'platform': (string);
  'inputs': readonly (_inference_ModelMetadataResponse_TensorMetadata__Output)[];
  'outputs': readonly (_inference_ModelMetadataResponse_TensorMetadata__Output)[];
}
