import type { Graph } from './graph.ts';

/**
 * How an int8 tower computes a matrix product. `both` goes on with the exact one and tells, as the output that
 * `errorOutput` names, how far the int8 one is from it.
 */
export type MatrixForm = 'exact' | 'int8' | 'both';

/** The form of a layer's matrix, by its tensor's name without `.weight`. */
export type FormOf = (matrix: string) => MatrixForm;

const errorPrefix = 'error:';

/** Names of an int8 matrix's initialisers. */
export function int8Names(matrix: string): { readonly steps: string; readonly scales: string } {
  return { steps: `${matrix}.weight_int8`, scales: `${matrix}.weight_scales` };
}

/** The matrix that an output of the graph tells the error of; undefined for other outputs. */
export function matrixOfError(output: string): string | undefined {
  return output.startsWith(errorPrefix) ? output.slice(errorPrefix.length) : undefined;
}

/**
 * value * matrix^T + bias in int8: the weights by output channel, as quantise.ts has them; the activations by ONNX
 * Runtime, with one scale for the whole of `value`.
 */
export function int8Product(graph: Graph, value: string, matrix: string): string {
  const { steps, scales } = int8Names(matrix);
  return graph.node('com.microsoft.DynamicQuantizeMatMul', [value, steps, scales, '', `${matrix}.bias`]);
}

/** Adds the output that tells sum((int8 - exact)^2) / sum(exact^2) of a product. */
export function compareProducts(graph: Graph, matrix: string, exact: string, int8: string): void {
  const power = (value: string): string => graph.node('ReduceSumSquare', [value], { keepdims: { int: 0 } });
  const difference = graph.node('Sub', [int8, exact]);
  const output = errorPrefix + matrix;
  graph.node('Div', [power(difference), power(exact)], {}, output);
  graph.output(output, 'float32', []);
}
