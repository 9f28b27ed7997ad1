import { dtypeOf, embeddingOutputs, graphInput, graphOutputs, projectorInput } from './graph-io.ts';
import type { GraphOutput, TokenOutputs } from './graph-io.ts';
import type { Model } from './model.ts';
import type { Projector } from './projector.ts';

/** A tensor as the Open Inference Protocol describes it. */
export interface RemoteTensor {
  readonly name: string;
  readonly datatype: 'UINT8' | 'FP16' | 'FP32' | 'BOOL';
  /** Without the batch dimension; -1 where a dimension varies. */
  readonly dims: readonly number[];
}

/** The tensors of one of an engine's outputs. */
export interface RemoteOutput {
  readonly tokens: RemoteTensor;
  readonly finite: RemoteTensor;
}

/** What a model on a server must take and give. */
export interface Signature {
  readonly input: RemoteTensor;
  readonly outputs: Partial<Record<GraphOutput, RemoteOutput>>;
}

/** Parameter of a Triton model's configuration: the digest of the model folder that it was made from. */
export const digestParameter = 'siglip_hd_digest';

/** What a projector's model is called on a server, after the name of the encoder's. */
export const projectorSuffix = '_projector';

/** Of a model's graph, or of its graphs as one: pixels to tokens. */
export function encoderSignature({ imageSize, grid, channels, projector }: Model): Signature {
  return {
    input: { name: graphInput, datatype: 'UINT8', dims: [imageSize, imageSize, 3] },
    outputs: {
      ...outputsOf('', graphOutputs, grid.width * grid.height, channels),
      ...(projector === undefined ? {} : embeddingsOf(projector)),
    },
  };
}

/** Of a projector's own graph: features to embeddings, under the names of features. */
export function projectorSignature({ channels }: Model, { hiddenSize }: Projector): Signature {
  return {
    input: { name: projectorInput, datatype: 'FP32', dims: [-1, channels] },
    outputs: outputsOf('', graphOutputs, -1, hiddenSize),
  };
}

/** All tensors of the outputs, each once. */
export function outputTensors({ outputs }: Signature): RemoteTensor[] {
  return Object.values(outputs).flatMap(({ tokens, finite }) => [tokens, finite]);
}

function embeddingsOf({ grid, hiddenSize }: Projector): Signature['outputs'] {
  return outputsOf('embeddings_', embeddingOutputs, grid.width * grid.height, hiddenSize);
}

function outputsOf(
  prefix: '' | 'embeddings_',
  names: Readonly<Record<'float16' | 'float32', TokenOutputs>>,
  rows: number,
  width: number,
): Signature['outputs'] {
  const one = (dtype: 'float16' | 'float32') => {
    const output: GraphOutput = `${prefix}${dtype}`;
    const datatype = dtypeOf(output) === 'float16' ? 'FP16' : 'FP32';
    const tokens = { name: names[dtype].tokens, datatype, dims: [rows, width] } as const;
    return [output, { tokens, finite: { name: names[dtype].finite, datatype: 'BOOL', dims: [] } }] as const;
  };
  return Object.fromEntries([one('float32'), one('float16')]);
}
