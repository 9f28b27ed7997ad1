/** An element type of ONNX: safetensors' name for it, and bits of an element. */
export interface StoredType {
  readonly name: string;
  readonly bits: number;
}

/** By onnx.TensorProto.DataType's number. Strings have no size and are not here. */
const storedTypes: ReadonlyMap<number, StoredType> = new Map([
  [1, { name: 'F32', bits: 32 }],
  [2, { name: 'U8', bits: 8 }],
  [3, { name: 'I8', bits: 8 }],
  [4, { name: 'U16', bits: 16 }],
  [5, { name: 'I16', bits: 16 }],
  [6, { name: 'I32', bits: 32 }],
  [7, { name: 'I64', bits: 64 }],
  [9, { name: 'BOOL', bits: 8 }],
  [10, { name: 'F16', bits: 16 }],
  [11, { name: 'F64', bits: 64 }],
  [12, { name: 'U32', bits: 32 }],
  [13, { name: 'U64', bits: 64 }],
  [16, { name: 'BF16', bits: 16 }],
  [17, { name: 'F8_E4M3', bits: 8 }],
  [19, { name: 'F8_E5M2', bits: 8 }],
  [21, { name: 'U4', bits: 4 }],
  [22, { name: 'I4', bits: 4 }],
]);

/** Undefined for a type that weights are not moved of. */
export function storedType(number: number): StoredType | undefined {
  return storedTypes.get(number);
}
