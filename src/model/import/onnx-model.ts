import protobuf from 'protobufjs';

/** What a graph writes of onnx.proto. Its initialisers are tensors that were encoded before. */
const { root } = protobuf.parse(`
  syntax = "proto2";
  message Model {
    optional int64 ir_version = 1;
    optional string producer_name = 2;
    optional Graph graph = 7;
    repeated Opset opset_import = 8;
  }
  message Opset { optional string domain = 1; optional int64 version = 2; }
  message Graph {
    repeated Node node = 1;
    optional string name = 2;
    repeated bytes initializer = 5;
    repeated Port input = 11;
    repeated Port output = 12;
  }
  message Node {
    repeated string input = 1;
    repeated string output = 2;
    optional string name = 3;
    optional string op_type = 4;
    repeated Attribute attribute = 5;
    optional string domain = 7;
  }
  message Attribute {
    optional string name = 1;
    optional float f = 2;
    optional int64 i = 3;
    repeated int64 ints = 8;
    optional int32 type = 20;
  }
  message Port { optional string name = 1; optional Type type = 2; }
  message Type { optional TensorType tensor_type = 1; }
  message TensorType { optional int32 elem_type = 1; optional Shape shape = 2; }
  message Shape { repeated Size dim = 1; }
  message Size { optional int64 dim_value = 1; optional string dim_param = 2; }
  message Tensor {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    optional string name = 8;
    optional bytes raw_data = 9;
    repeated Entry external_data = 13;
    optional int32 data_location = 14;
  }
  message Entry { optional string key = 1; optional string value = 2; }`);

const model = root.lookupType('Model');
const tensor = root.lookupType('Tensor');

/** An ONNX file's bytes. */
export function encodeModel(fields: object): Uint8Array<ArrayBuffer> {
  return new Uint8Array(model.encode(fields).finish());
}

/** A tensor's bytes. `externalData` comes after all other fields: a folder's digest depends on their order. */
export function encodeTensor(fields: object, externalData: readonly object[] = []): Uint8Array {
  return tensor.encode({ externalData }, tensor.encode(fields)).finish();
}
