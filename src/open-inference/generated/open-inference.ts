// The types of proto/inference/open_inference.proto that the sources import, by scripts/grpc-types.js.
// To use another one, import it and run `node scripts/generate-docs.js`.
import type { Long } from '@grpc/proto-loader';

export type DataType =
  | 'TYPE_INVALID'
  | 'TYPE_BOOL'
  | 'TYPE_UINT8'
  | 'TYPE_UINT16'
  | 'TYPE_UINT32'
  | 'TYPE_UINT64'
  | 'TYPE_INT8'
  | 'TYPE_INT16'
  | 'TYPE_INT32'
  | 'TYPE_INT64'
  | 'TYPE_FP16'
  | 'TYPE_FP32'
  | 'TYPE_FP64'
  | 'TYPE_STRING'
  | 'TYPE_BF16'

export type DataType__Output = DataType

export interface InferBatchStatistics {
  'batchSize'?: (number | string | Long);
  'computeInput'?: (StatisticDuration | null);
  'computeInfer'?: (StatisticDuration | null);
  'computeOutput'?: (StatisticDuration | null);
}

export interface InferParameter {
  'boolParam'?: (boolean);
  'int64Param'?: (number | string | Long);
  'stringParam'?: (string);
  'doubleParam'?: (number | string);
  'uint64Param'?: (number | string | Long);
  'parameterChoice'?: "boolParam"|"int64Param"|"stringParam"|"doubleParam"|"uint64Param";
}

export interface InferParameter__Output {
  'boolParam'?: (boolean);
  'int64Param'?: (number);
  'stringParam'?: (string);
  'doubleParam'?: (number);
  'uint64Param'?: (number);
  'parameterChoice'?: "boolParam"|"int64Param"|"stringParam"|"doubleParam"|"uint64Param";
}

export interface InferStatistics {
  'success'?: (StatisticDuration | null);
  'fail'?: (StatisticDuration | null);
  'queue'?: (StatisticDuration | null);
  'computeInput'?: (StatisticDuration | null);
  'computeInfer'?: (StatisticDuration | null);
  'computeOutput'?: (StatisticDuration | null);
  'cacheHit'?: (StatisticDuration | null);
  'cacheMiss'?: (StatisticDuration | null);
}

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

export interface ModelConfig {
  'name'?: (string);
  'platform'?: (string);
  'maxBatchSize'?: (number);
  'input'?: readonly (ModelInput)[];
  'output'?: readonly (ModelOutput)[];
  'parameters'?: ({[key: string]: ModelParameter});
  'backend'?: (string);
}

export interface ModelConfig__Output {
  'name': (string);
  'platform': (string);
  'maxBatchSize': (number);
  'input': readonly (ModelInput__Output)[];
  'output': readonly (ModelOutput__Output)[];
  'parameters': ({[key: string]: ModelParameter__Output});
  'backend': (string);
}

export interface ModelConfigResponse__Output {
  'config': (ModelConfig__Output | null);
}

export interface ModelInferRequest_InferInputTensor {
  'name'?: (string);
  'datatype'?: (string);
  'shape'?: readonly (number | string | Long)[];
  'parameters'?: ({[key: string]: InferParameter});
  'contents'?: (InferTensorContents | null);
}

export interface ModelInferRequest_InferInputTensor__Output {
  'name': (string);
  'datatype': (string);
  'shape': readonly (number)[];
  'parameters': ({[key: string]: InferParameter__Output});
  'contents': (InferTensorContents__Output | null);
}

export interface ModelInferRequest_InferRequestedOutputTensor {
  'name'?: (string);
  'parameters'?: ({[key: string]: InferParameter});
}

export interface ModelInferRequest_InferRequestedOutputTensor__Output {
  'name': (string);
  'parameters': ({[key: string]: InferParameter__Output});
}

export interface ModelInferRequest {
  'modelName'?: (string);
  'modelVersion'?: (string);
  'id'?: (string);
  'parameters'?: ({[key: string]: InferParameter});
  'inputs'?: readonly (ModelInferRequest_InferInputTensor)[];
  'outputs'?: readonly (ModelInferRequest_InferRequestedOutputTensor)[];
  'rawInputContents'?: readonly (Buffer | Uint8Array | string)[];
}

export interface ModelInferRequest__Output {
  'modelName': (string);
  'modelVersion': (string);
  'id': (string);
  'parameters': ({[key: string]: InferParameter__Output});
  'inputs': readonly (ModelInferRequest_InferInputTensor__Output)[];
  'outputs': readonly (ModelInferRequest_InferRequestedOutputTensor__Output)[];
  'rawInputContents': readonly (Buffer)[];
}

export interface ModelInferResponse_InferOutputTensor {
  'name'?: (string);
  'datatype'?: (string);
  'shape'?: readonly (number | string | Long)[];
  'parameters'?: ({[key: string]: InferParameter});
  'contents'?: (InferTensorContents | null);
}

export interface ModelInferResponse_InferOutputTensor__Output {
  'name': (string);
  'datatype': (string);
  'shape': readonly (number)[];
  'parameters': ({[key: string]: InferParameter__Output});
  'contents': (InferTensorContents__Output | null);
}

export interface ModelInferResponse {
  'modelName'?: (string);
  'modelVersion'?: (string);
  'id'?: (string);
  'parameters'?: ({[key: string]: InferParameter});
  'outputs'?: readonly (ModelInferResponse_InferOutputTensor)[];
  'rawOutputContents'?: readonly (Buffer | Uint8Array | string)[];
}

export interface ModelInferResponse__Output {
  'modelName': (string);
  'modelVersion': (string);
  'id': (string);
  'parameters': ({[key: string]: InferParameter__Output});
  'outputs': readonly (ModelInferResponse_InferOutputTensor__Output)[];
  'rawOutputContents': readonly (Buffer)[];
}

export type ModelInput_Format =
  | 'FORMAT_NONE'
  | 'FORMAT_NHWC'
  | 'FORMAT_NCHW'

export type ModelInput_Format__Output = ModelInput_Format

export interface ModelInput {
  'name'?: (string);
  'dataType'?: (DataType);
  'format'?: (ModelInput_Format);
  'dims'?: readonly (number | string | Long)[];
  'optional'?: (boolean);
}

export interface ModelInput__Output {
  'name': (string);
  'dataType': (DataType__Output);
  'format': (ModelInput_Format__Output);
  'dims': readonly (number)[];
  'optional': (boolean);
}

export interface ModelMetadataResponse_TensorMetadata {
  'name'?: (string);
  'datatype'?: (string);
  'shape'?: readonly (number | string | Long)[];
}

export interface ModelMetadataResponse_TensorMetadata__Output {
  'name': (string);
  'datatype': (string);
  'shape': readonly (number)[];
}

export interface ModelMetadataResponse {
  'name'?: (string);
  'versions'?: readonly (string)[];
  'platform'?: (string);
  'inputs'?: readonly (ModelMetadataResponse_TensorMetadata)[];
  'outputs'?: readonly (ModelMetadataResponse_TensorMetadata)[];
}

export interface ModelMetadataResponse__Output {
  'name': (string);
  'versions': readonly (string)[];
  'platform': (string);
  'inputs': readonly (ModelMetadataResponse_TensorMetadata__Output)[];
  'outputs': readonly (ModelMetadataResponse_TensorMetadata__Output)[];
}

export interface ModelOutput {
  'name'?: (string);
  'dataType'?: (DataType);
  'dims'?: readonly (number | string | Long)[];
}

export interface ModelOutput__Output {
  'name': (string);
  'dataType': (DataType__Output);
  'dims': readonly (number)[];
}

export interface ModelParameter {
  'stringValue'?: (string);
}

export interface ModelParameter__Output {
  'stringValue': (string);
}

export interface ModelReadyResponse__Output {
  'ready': (boolean);
}

export interface ModelStatistics {
  'name'?: (string);
  'version'?: (string);
  'lastInference'?: (number | string | Long);
  'inferenceCount'?: (number | string | Long);
  'executionCount'?: (number | string | Long);
  'inferenceStats'?: (InferStatistics | null);
  'batchStats'?: readonly (InferBatchStatistics)[];
}

export interface ServerLiveResponse__Output {
  'live': (boolean);
}

export interface ServerMetadataResponse__Output {
  'name': (string);
  'version': (string);
  'extensions': readonly (string)[];
}

export interface ServerReadyResponse__Output {
  'ready': (boolean);
}

export interface StatisticDuration {
  'count'?: (number | string | Long);
  'ns'?: (number | string | Long);
}
