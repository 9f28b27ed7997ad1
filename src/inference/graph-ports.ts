import { InferenceSession } from 'onnxruntime-node';
import type { RemoteTensor } from '../model/signature.ts';
import { cpuOptions } from './onnx-session.ts';

const datatypes = { uint8: 'UINT8', float16: 'FP16', float32: 'FP32', bool: 'BOOL' } as const;

/** The first input and the first output of a small graph, without their batch dimension. */
export async function readGraphPorts(
  path: string,
): Promise<{ readonly input: RemoteTensor; readonly output: RemoteTensor }> {
  const session = await InferenceSession.create(path, cpuOptions(1));
  try {
    return { input: tensorOf(session.inputMetadata[0]), output: tensorOf(session.outputMetadata[0]) };
  } finally {
    await session.release();
  }
}

function tensorOf(value: InferenceSession.ValueMetadata | undefined): RemoteTensor {
  if (value === undefined || !value.isTensor) throw new TypeError('a graph has no tensor as its first port');
  const datatype = Object.entries(datatypes).find(([type]) => type === value.type)?.[1];
  if (datatype === undefined) throw new TypeError(`${value.name} is of the type ${value.type}`);
  const dims = value.shape.slice(1).map((size) => (typeof size === 'number' ? size : -1));
  return { name: value.name, datatype, dims };
}
