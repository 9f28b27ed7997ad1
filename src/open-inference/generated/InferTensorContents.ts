// Original file: proto/inference/open_inference.proto

import type { Long } from '@grpc/proto-loader';

export interface InferTensorContents {
  'boolContents'?: readonly (boolean)[];
  'intContents'?: readonly (number)[];
  'int64Contents'?: readonly (number | string | Long)[];
  'uintContents'?: readonly (number)[];
  'uint64Contents'?: readonly (number | string | Long)[];
  'fp32Contents'?: readonly (number | string)[];
  'fp64Contents'?: readonly (number | string)[];
  'bytesContents'?: readonly (Buffer | Uint8Array | string)[];
}

export interface InferTensorContents__Output {
  'boolContents': readonly (boolean)[];
  'intContents': readonly (number)[];
  'int64Contents': readonly (number)[];
  'uintContents': readonly (number)[];
  'uint64Contents': readonly (number)[];
  'fp32Contents': readonly (number)[];
  'fp64Contents': readonly (number)[];
  'bytesContents': readonly (Buffer)[];
}
