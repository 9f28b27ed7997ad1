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

/** A token dtype that the last graph gives. */
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

/** As {@link graphOutputs}, for the embeddings of an encoder with a projector. */
export const embeddingOutputs = {
  float32: { tokens: 'embeddings', finite: 'embeddings_finite' },
  float16: { tokens: 'embeddings_float16', finite: 'embeddings_finite_float16' },
} as const satisfies Record<GraphDtype, TokenOutputs>;

/** What an engine can be asked for: features of a dtype, or embeddings of one. */
export type GraphOutput = GraphDtype | `embeddings_${GraphDtype}`;

/** The names in the graph of whatever an engine can be asked for. */
export const outputNames = {
  ...graphOutputs,
  embeddings_float32: embeddingOutputs.float32,
  embeddings_float16: embeddingOutputs.float16,
} as const satisfies Record<GraphOutput, TokenOutputs>;

export function dtypeOf(output: GraphOutput): GraphDtype {
  return output.endsWith('float16') ? 'float16' : 'float32';
}

/** Names of two outputs. */
export interface TokenOutputs {
  readonly tokens: string;
  readonly finite: string;
}
