import { readFile } from 'node:fs/promises';
import protobuf from 'protobufjs';
import { systemReason } from '../../../errors/system-reason.ts';
import type { ModelPrecision } from '../../model.ts';
import { ExportProblem } from './export-problem.ts';

/** What ONNX Runtime does not report about an export. */
export interface ExportWeights {
  /** Files that hold weights, as paths from the graph's folder. */
  readonly files: readonly string[];
  readonly precision: ModelPrecision;
  /** Safetensors' name of the type that most bytes of the weights have. */
  readonly storedDtype: string;
}

/** The few fields of onnx.proto that are needed. The decoder skips all others, the weights among them. */
const schema = `
  syntax = "proto2";
  message Model { optional Graph graph = 7; repeated Function functions = 25; }
  message Graph { repeated Node node = 1; repeated Tensor initializer = 5; }
  message Function { repeated Node node = 7; }
  message Node { optional string op_type = 4; }
  message Tensor { repeated int64 dims = 1; optional int32 data_type = 2; repeated Entry external_data = 13; }
  message Entry { optional string key = 1; optional string value = 2; }`;

interface DecodedModel {
  readonly graph?: { readonly node: readonly DecodedNode[]; readonly initializer: readonly DecodedTensor[] };
  readonly functions: readonly { readonly node: readonly DecodedNode[] }[];
}
interface DecodedNode {
  readonly opType?: string;
}
interface DecodedTensor {
  readonly dims: readonly number[];
  readonly dataType?: number;
  readonly externalData: readonly { readonly key?: string; readonly value?: string }[];
}

/** Types of weights, by onnx.TensorProto.DataType: safetensors' name and the bytes of an element. */
const dtypes: ReadonlyMap<number, readonly [string, number]> = new Map([
  [1, ['F32', 4]],
  [2, ['U8', 1]],
  [3, ['I8', 1]],
  [6, ['I32', 4]],
  [7, ['I64', 8]],
  [9, ['BOOL', 1]],
  [10, ['F16', 2]],
  [11, ['F64', 8]],
  [16, ['BF16', 2]],
  [21, ['U4', 0.5]],
  [22, ['I4', 0.5]],
]);

/** The share of the weights' bytes that must have one type for it to be the model's. */
const share = 0.9;

/** Reads an ONNX file, all of it at once. Rejects with an ExportProblem. */
export async function readExportWeights(path: string): Promise<ExportWeights> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new ExportProblem(`cannot be read: ${systemReason(error)}`, { cause: error });
  });
  return exportWeights(decode(bytes));
}

function decode(bytes: Uint8Array): DecodedModel {
  const model = protobuf.parse(schema).root.lookupType('Model');
  try {
    return model.toObject(model.decode(bytes), { longs: Number, arrays: true }) as DecodedModel;
  } catch (error) {
    throw new ExportProblem('is not an ONNX file, or is truncated or damaged', { cause: error });
  }
}

function exportWeights({ graph, functions }: DecodedModel): ExportWeights {
  if (graph === undefined) throw new ExportProblem('is not an ONNX file: it has no graph');
  const bytesOf = new Map<string, number>();
  const files = new Set<string>();
  for (const { dataType = 0, dims, externalData } of graph.initializer) {
    const [dtype, elementBytes] = dtypes.get(dataType) ?? ['other', 1];
    const sizeBytes = dims.reduce((product, size) => product * size, elementBytes);
    bytesOf.set(dtype, (bytesOf.get(dtype) ?? 0) + sizeBytes);
    for (const { key, value = '' } of externalData) if (key === 'location') files.add(value);
  }
  const total = [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0);
  const [storedDtype, bytes] = [...bytesOf].reduce((a, b) => (b[1] > a[1] ? b : a), ['F32', 0]);
  // Such a graph may have one scale for a batch, however few of its matrices it quantises.
  const isDynamic = [graph, ...functions].some(({ node }) =>
    node.some(({ opType = '' }) => opType.startsWith('DynamicQuantize')),
  );
  const isUniform = !isDynamic && bytes >= share * total;
  const named = { F32: 'fp32', F16: 'fp16' } as const satisfies Record<string, ModelPrecision>;
  const precision =
    isUniform && Object.hasOwn(named, storedDtype) ? named[storedDtype as 'F32' | 'F16'] : 'exported';
  return { files: [...files], precision, storedDtype };
}
