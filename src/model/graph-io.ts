import type { FeatureLayer } from './model.ts';

/** The graph that holds the encoder. Its weights lie beside it: in `weightsFile`, or where an ONNX export has them. */
export const graphFile = 'encoder.onnx';
export const weightsFile = 'encoder.onnx_data';

/** Of a folder with a projector: the projector alone, whose weights are part of `weightsFile`. */
export const projectorFile = 'projector.onnx';
/** The projector's input: float32 [batch, rows, channels]. Its outputs are {@link graphOutputs}. */
export const projectorInput = 'features';
/** Of a projector with a newline: its row, float32, little-endian. */
export const newlineFile = 'newline.bin';

/** Graphs of a folder made from an ONNX export, in the order they run: ours, the export itself, ours. */
export const exportGraphs = ['before.onnx', graphFile, 'after.onnx'] as const;

/** The first graph's input: uint8 [batch, imageSize, imageSize, 3], RGB. */
export const graphInput = 'pixels';

/** A token dtype that a graph gives. */
export type GraphDtype = 'float16' | 'float32';

/**
 * The last graph's outputs, by dtype: `tokens` is [batch, tokens, channels] of that dtype; `finite` is bool [batch],
 * whether every token of the view is finite in that dtype. Fetch only what you need: ONNX Runtime copies what is
 * fetched.
 */
export const graphOutputs = {
  float32: { tokens: 'tokens', finite: 'finite' },
  float16: { tokens: 'tokens_float16', finite: 'finite_float16' },
} as const satisfies Record<GraphDtype, TokenOutputs>;

/** The outputs of the embeddings begin with this, and those of the pooled vector. */
export const embeddingsStem = 'embeddings';
export const pooledStem = 'pooled';

/** What an engine can be asked for, in a dtype: the default features, or the outputs that begin with a stem. */
export type GraphOutput = GraphDtype | `${string}_${GraphDtype}`;

/** Values by what an engine was asked for. */
export type PerOutput<Value> = Record<string, Value>;

/** As {@link graphOutputs}, for what is not the default features. */
export function stemOutputs(stem: string): Readonly<Record<GraphDtype, TokenOutputs>> {
  return {
    float32: { tokens: stem, finite: `${stem}_finite` },
    float16: { tokens: `${stem}_float16`, finite: `${stem}_finite_float16` },
  };
}

/** The names in the graph of what an engine is asked for. */
export function outputNames(output: GraphOutput): TokenOutputs {
  if (output === 'float32' || output === 'float16') return graphOutputs[output];
  const dtype = dtypeOf(output);
  return stemOutputs(output.slice(0, -(dtype.length + 1)))[dtype];
}

export function dtypeOf(output: GraphOutput): GraphDtype {
  return output.endsWith('float16') ? 'float16' : 'float32';
}

/** What the outputs of a hidden state begin with. With a class token, that precedes the patches' tokens. */
export function layerStem(layer: FeatureLayer, withClassToken = false): string {
  const name = layer.startsWith('-') ? `hidden_state_minus_${layer.slice(1)}` : layer;
  return withClassToken ? `${name}_with_class_token` : name;
}

/** Names of two outputs. */
export interface TokenOutputs {
  readonly tokens: string;
  readonly finite: string;
}
