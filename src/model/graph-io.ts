/** The graph of a model folder; its external data lies beside it, as `weightsFile`. */
export const graphFile = 'encoder.onnx';
export const weightsFile = 'encoder.onnx_data';

/** Input: uint8 [batch, imageSize, imageSize, 3], RGB. */
export const graphInput = 'pixels';

/** A token dtype that the graph itself can give. */
export type GraphDtype = 'float16' | 'float32';

/**
 * Outputs, by dtype: `tokens` is [batch, tokens, channels] of that dtype, `finite` is bool [batch]: whether every
 * token of the view is finite in that dtype. Fetch only what is needed: what is not fetched is not copied.
 */
export const graphOutputs = {
  float32: { tokens: 'tokens', finite: 'finite' },
  float16: { tokens: 'tokens_float16', finite: 'finite_float16' },
} as const satisfies Record<GraphDtype, { tokens: string; finite: string }>;
