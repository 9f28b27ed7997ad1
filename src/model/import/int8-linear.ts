import type { Graph } from './graph.ts';

/**
 * How an int8 tower computes a matrix product. `both` goes on with the exact product, and adds an output that says how
 * far the int8 product is from it.
 */
export type MatrixForm = 'exact' | 'int8' | 'both';

/** The form of a layer's matrix, by its tensor's name without `.weight`. */
export type FormOf = (matrix: string) => MatrixForm;

const errorPrefix = 'error:';

/** Names of an int8 matrix's initialisers. */
export function int8Names(matrix: string): { readonly steps: string; readonly scales: string } {
  return { steps: `${matrix}.weight_int8`, scales: `${matrix}.weight_scales` };
}

/** The matrix whose error an output of the graph is; undefined for other outputs. */
export function matrixOfError(output: string): string | undefined {
  return output.startsWith(errorPrefix) ? output.slice(errorPrefix.length) : undefined;
}

/**
 * value * matrix^T + bias in int8. quantise.ts quantises the weights, each output channel by its own scale; ONNX Runtime
 * quantises `value`, with one scale for all of it.
 */
export function int8Product(graph: Graph, value: string, matrix: string, bias = true): string {
  const { steps, scales } = int8Names(matrix);
  const inputs = [value, steps, scales, ...(bias ? ['', `${matrix}.bias`] : [])];
  return graph.node('com.microsoft.DynamicQuantizeMatMul', inputs);
}

/** Adds an output for a product's error, sum((int8 - exact)^2) / sum(exact^2). */
export function compareProducts(graph: Graph, matrix: string, exact: string, int8: string): void {
  const power = (value: string): string => graph.node('ReduceSumSquare', [value], { keepdims: { int: 0 } });
  const difference = graph.node('Sub', [int8, exact]);
  const output = errorPrefix + matrix;
  graph.node('Div', [power(difference), power(exact)], {}, output);
  graph.output(output, 'float32', []);
}
