import {
  dtypeOf,
  embeddingsStem,
  graphInput,
  type GraphOutput,
  layerStem,
  outputNames,
  pooledStem,
  projectorInput,
  type PerOutput,
} from './graph-io.ts';
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
  readonly outputs: PerOutput<RemoteOutput>;
}

/** Parameter of a Triton model's configuration: the digest of the model folder that it was made from. */
export const digestParameter = 'siglip_hd_digest';

/** What a projector's model is called on a server, after the name of the encoder's. */
export const projectorSuffix = '_projector';

/** The signature of a model's graph, or of its graphs as one: pixels to tokens. */
export function encoderSignature(model: Model): Signature {
  const { imageSize, grid, channels, projector } = model;
  return {
    input: { name: graphInput, datatype: 'UINT8', dims: [imageSize, imageSize, 3] },
    outputs: {
      ...outputsOf(undefined, grid.width * grid.height, channels),
      ...(projector === undefined ? {} : embeddingsOf(projector)),
      ...moreOutputs(model),
    },
  };
}

/** What the model gives beside its default features and their embeddings. */
function moreOutputs({ features: first, outputs, grid, channels }: Model): Signature['outputs'] {
  if (outputs === undefined) return {};
  const { features, classToken, pooledChannels } = outputs;
  const tokens = grid.width * grid.height;
  const others = features.filter((layer) => layer !== first);
  return Object.assign(
    {},
    ...others.map((layer) => outputsOf(layerStem(layer), tokens, channels)),
    ...(classToken ? features.map((layer) => outputsOf(layerStem(layer, true), tokens + 1, channels)) : []),
    pooledChannels === undefined ? {} : outputsOf(pooledStem, 1, pooledChannels),
  ) as Signature['outputs'];
}

/** The signature of a projector's own graph: features to embeddings, under the names of features. */
export function projectorSignature({ channels }: Model, { hiddenSize }: Projector): Signature {
  return {
    input: { name: projectorInput, datatype: 'FP32', dims: [-1, channels] },
    outputs: outputsOf(undefined, -1, hiddenSize),
  };
}

/** All tensors of the outputs, each once. */
export function outputTensors({ outputs }: Signature): RemoteTensor[] {
  return Object.values(outputs).flatMap(({ tokens, finite }) => [tokens, finite]);
}

function embeddingsOf({ grid, hiddenSize }: Projector): Signature['outputs'] {
  return outputsOf(embeddingsStem, grid.width * grid.height, hiddenSize);
}

/** Both dtypes of the outputs that begin with `stem`, or of the default features. */
function outputsOf(stem: string | undefined, rows: number, width: number): Signature['outputs'] {
  const one = (dtype: 'float16' | 'float32') => {
    const output: GraphOutput = stem === undefined ? dtype : `${stem}_${dtype}`;
    const names = outputNames(output);
    const datatype = dtypeOf(output) === 'float16' ? 'FP16' : 'FP32';
    const tokens = { name: names.tokens, datatype, dims: [rows, width] } as const;
    return [output, { tokens, finite: { name: names.finite, datatype: 'BOOL', dims: [] } }] as const;
  };
  return Object.fromEntries([one('float32'), one('float16')]);
}
