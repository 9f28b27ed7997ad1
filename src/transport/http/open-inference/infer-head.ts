import {
  type InferInput,
  type InferRequest,
  invalid,
  mostEntries,
  type Parameters,
  type ParameterValue,
  quotedName,
  type RequestedOutput,
  type TensorData,
} from '../../open-inference/infer-request.ts';
import { imageOfBase64, parseJsonObject } from '../json-images.ts';
import { liftedField, type LiftedNumbers, liftNumbers } from './lift-numbers.ts';

/** The JSON of an infer request. Of a binary tensor it has the length alone. */
export interface InferHead extends Omit<InferRequest, 'modelName' | 'modelVersion' | 'inputs'> {
  readonly inputs: readonly HeadInput[];
}

export type HeadInput = Omit<InferInput, 'data'> & {
  readonly data: TensorData | { readonly kind: 'binary'; readonly sizeBytes: number };
};

const otherNumbers = {
  kind: 'other',
  what: 'numbers that are fractions, negative or above 255',
} as const satisfies TensorData;

const imageAdvice = 'To send an image as the whole body, add the header Inference-Header-Content-Length: 0.';

const shape = '{"inputs": [{"name", "shape", "datatype", "data"}], "outputs", "parameters", "id"}';

/** Reads the JSON of an infer request. Throws `invalid_argument`. */
export function readInferHead(bytes: Uint8Array): InferHead {
  const { json, lists } = liftNumbers(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const { id = '', parameters, inputs, outputs = [] } = parseJsonObject(json, shape, imageAdvice);
  if (typeof id !== 'string') throw invalid('id must be a string.');
  return {
    id,
    parameters: parametersOf('parameters', parameters),
    inputs: listOf('inputs', inputs).map((input, index) => inputOf(`inputs[${index}]`, input, lists)),
    outputs: listOf('outputs', outputs).map((output, index) => outputOf(`outputs[${index}]`, output)),
  };
}

/** The buffers of a head, each once, which are transferred between threads. */
export function buffersOf({ inputs }: InferHead): ArrayBuffer[] {
  const buffers = inputs.flatMap(({ data }) => {
    if (data.kind === 'uint8') return [data.bytes.buffer as ArrayBuffer];
    return data.kind === 'elements' ? data.elements.map(({ buffer }) => buffer as ArrayBuffer) : [];
  });
  return [...new Set(buffers)];
}

function inputOf(name: string, value: unknown, lists: readonly LiftedNumbers[]): HeadInput {
  const input = objectOf(name, value);
  const parameters = parametersOf(`${name}.parameters`, input['parameters']);
  return {
    name: textOf(`${name}.name`, input['name']),
    datatype: textOf(`${name}.datatype`, input['datatype']),
    shape: listOf(`${name}.shape`, input['shape']).map((side) => {
      if (typeof side === 'number') return side;
      throw invalid(`${name}.shape must be a list of numbers.`);
    }),
    parameters,
    data: dataOf(name, input['data'], parameters, lists),
  };
}

function dataOf(
  name: string,
  data: unknown,
  parameters: Parameters,
  lists: readonly LiftedNumbers[],
): HeadInput['data'] {
  const sizeBytes = parameters.get('binary_data_size');
  if (sizeBytes !== undefined) {
    if (data !== undefined) throw invalid(`${name} has both data and binary_data_size; use one of them.`);
    if (typeof sizeBytes === 'number' && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0) {
      return { kind: 'binary', sizeBytes };
    }
    throw invalid(`${name}.parameters.binary_data_size must be a whole number of bytes.`);
  }
  if (data === undefined) return { kind: 'none' };
  const lifted = liftedOf(data, lists);
  if (lifted !== undefined) return lifted;
  const values = listOf(`${name}.data`, data).flat(8);
  if (values.length === 0) return { kind: 'none' };
  if (values.every(isByte)) return { kind: 'uint8', bytes: Uint8Array.from(values) };
  if (typeof values[0] === 'number') return otherNumbers;
  if (typeof values[0] !== 'string') {
    return { kind: 'other', what: 'values that are neither numbers nor strings' };
  }
  return {
    kind: 'elements',
    elements: values.map((value, index) => imageOfBase64(value, `${name}.data[${index}]`)),
  };
}

function liftedOf(data: unknown, lists: readonly LiftedNumbers[]): TensorData | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  const index = (data as Record<string, unknown>)[liftedField];
  if (typeof index !== 'number' || !(index in lists)) return undefined;
  const bytes = lists[index];
  return bytes === undefined ? otherNumbers : { kind: 'uint8', bytes };
}

function isByte(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
}

function outputOf(name: string, value: unknown): RequestedOutput {
  const output = objectOf(name, value);
  return {
    name: textOf(`${name}.name`, output['name']),
    parameters: parametersOf(`${name}.parameters`, output['parameters']),
  };
}

function parametersOf(name: string, value: unknown): Parameters {
  if (value === undefined) return new Map();
  const entries = Object.entries(objectOf(name, value));
  return new Map(
    entries.map(([key, each]): [string, ParameterValue] => {
      if (typeof each === 'string' || typeof each === 'number' || typeof each === 'boolean')
        return [key, each];
      throw invalid(`${name} has ${quotedName(key)}, which must be a string, a number or a boolean.`);
    }),
  );
}

function listOf(name: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${name} must be a list.`);
  if (value.length > mostEntries) throw invalid(`${name} has over ${mostEntries} entries.`);
  return value as unknown[];
}

function objectOf(name: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalid(`${name} must be an object.`);
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalid(`${name} must be a string.`);
}
