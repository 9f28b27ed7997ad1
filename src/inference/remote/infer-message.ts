import protobuf from 'protobufjs/minimal.js';
import type { GraphOutput, PerOutput } from '../../model/graph-io.ts';
import { openInferenceMessage } from '../../open-inference/definition.ts';
import type {
  ModelInferRequest,
  ModelInferResponse__Output,
} from '../../open-inference/generated/open-inference.ts';
import { byteLengthOf } from '../../tokens/tensor.ts';
import type { EncodedBatch } from '../engine.ts';
import type { RemoteTensor, Signature } from '../../model/signature.ts';

/** Key of ModelInferRequest.raw_input_contents: field 7, length-delimited. */
const rawContentsKey = 7 * 8 + 2;

const elementBytes = { UINT8: 1, BOOL: 1, FP16: 2, FP32: 4 } as const satisfies Record<
  RemoteTensor['datatype'],
  number
>;

/** Tokens and finite flags of a batch. */
export type RemoteTokens = Pick<EncodedBatch, 'tokens' | 'finite'>;

/** A ModelInferRequest for views of one size, with their bytes, which lie one after another, as raw contents. */
export function inferRequest(
  model: string,
  { input, outputs }: Signature,
  contents: Uint8Array,
  views: number,
  wanted: readonly GraphOutput[],
): Buffer {
  const { byteLength } = contents;
  const shape = [views, ...dimsOf(input, byteLength / views)];
  const { name, datatype } = input;
  const request: ModelInferRequest = {
    modelName: model,
    inputs: [{ name, datatype, shape }],
    outputs: tensorsOf(outputs, wanted).map((tensor) => ({ name: tensor.name })),
  };
  const head = openInferenceMessage<ModelInferRequest, never>('ModelInferRequest').serialize(request);
  const rawHead = protobuf.Writer.create().uint32(rawContentsKey).uint32(byteLength).finish();
  return Buffer.concat([head, rawHead, contents]);
}

/**
 * Tokens and finite flags of an answer, each in a buffer of its own. Throws if the answer is not what was asked for, and
 * says how it differs.
 */
export function readInferResponse(
  response: ModelInferResponse__Output,
  { outputs }: Signature,
  views: number,
  wanted: readonly GraphOutput[],
): RemoteTokens {
  const tokens: PerOutput<Uint8Array<ArrayBuffer>> = {};
  const finite: PerOutput<readonly boolean[]> = {};
  for (const output of wanted) {
    const tensors = requireTensors(outputs, output);
    // A copy, because the message's bytes are neither aligned nor alone in their buffer.
    tokens[output] = new Uint8Array(contentsOf(response, tensors.tokens, views));
    finite[output] = Array.from(contentsOf(response, tensors.finite, views), (flag) => flag !== 0);
  }
  return { tokens, finite };
}

/** The parts of one batch as a whole. */
export function joinParts(parts: readonly RemoteTokens[], outputs: readonly GraphOutput[]): RemoteTokens {
  const tokens: RemoteTokens['tokens'] = {};
  const finite: RemoteTokens['finite'] = {};
  for (const output of outputs) {
    const pieces = parts.flatMap((part) => part.tokens[output] ?? []);
    const whole = new Uint8Array(byteLengthOf(pieces));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    tokens[output] = whole;
    finite[output] = parts.flatMap((part) => part.finite[output] ?? []);
  }
  return { tokens, finite };
}

function contentsOf(response: ModelInferResponse__Output, wanted: RemoteTensor, views: number): Buffer {
  const { name, datatype, dims } = wanted;
  const index = response.outputs.findIndex((output) => output.name === name);
  const output = response.outputs[index];
  if (output === undefined) throw new Error(`the answer has no output ${name}`);
  const shape = [views, ...dims];
  if (output.datatype !== datatype || !fits(output.shape, shape)) {
    const given = `${output.datatype} [${output.shape.join(', ')}]`;
    throw new Error(`the answer's ${name} is ${given}, not ${datatype} [${shape.join(', ')}]`);
  }
  const contents = response.rawOutputContents[index];
  if (contents === undefined) throw new Error(`the answer has ${name} without raw contents`);
  const sizeBytes = output.shape.reduce((product, size) => product * size, elementBytes[datatype]);
  if (contents.byteLength !== sizeBytes) {
    throw new Error(
      `the answer's ${name} has ${contents.byteLength} bytes, not the ${sizeBytes} of its shape`,
    );
  }
  return contents;
}

/**
 * Whether a shape is the expected one, in which -1 stands for any size. Triton has no tensors of the batch dimension alone
 * and gives [batch, 1].
 */
export function fits(shape: readonly number[], expected: readonly number[]): boolean {
  const own = expected.length === 1 && shape.length === 2 && shape[1] === 1 ? shape.slice(0, 1) : shape;
  return (
    own.length === expected.length && expected.every((size, index) => size === -1 || size === own[index])
  );
}

function tensorsOf(outputs: Signature['outputs'], wanted: readonly GraphOutput[]): RemoteTensor[] {
  return wanted.flatMap((output) => {
    const { tokens, finite } = requireTensors(outputs, output);
    return [tokens, finite];
  });
}

function requireTensors(outputs: Signature['outputs'], output: GraphOutput) {
  const tensors = outputs[output];
  if (tensors === undefined) throw new RangeError(`the model has no output ${output}`);
  return tensors;
}

/** A view's dimensions: those of the tensor, one of which may follow from the view's size. */
function dimsOf({ dims, datatype }: RemoteTensor, viewBytes: number): number[] {
  const known = dims.reduce(
    (product, size) => (size === -1 ? product : product * size),
    elementBytes[datatype],
  );
  return dims.map((size) => (size === -1 ? viewBytes / known : size));
}
