/** The graph that holds the encoder. Its weights lie beside it: in `weightsFile`, or where an ONNX export has them. */
export const graphFile = 'encoder.onnx';
export const weightsFile = 'encoder.onnx_data';

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
} as const satisfies Record<GraphDtype, { tokens: string; finite: string }>;
