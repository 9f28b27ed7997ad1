import { castTo, type Graph } from './graph.ts';
import { type GraphDtype, graphOutputs, type TokenOutputs } from '../graph-io.ts';

/**
 * Adds outputs of graph-io.ts to a graph: the default features', or those of other `names`. `state` is a float32 value that the value `shape` reshapes to
 * [batch, tokens, channels]. A string as `tokens` is the name of a dynamic size.
 */
export function addGraphOutputs(
  graph: Graph,
  {
    state,
    shape,
    tokens,
    channels,
  }: {
    readonly state: string;
    readonly shape: string;
    readonly tokens: number | string;
    readonly channels: number;
  },
  { float32, float16 }: Readonly<Record<GraphDtype, TokenOutputs>> = graphOutputs,
): void {
  graph.node('Reshape', [state, shape], {}, float32.tokens);
  graph.node('Cast', [float32.tokens], castTo('float16'), float16.tokens);
  // Summed as float32: the sum of a view's largest float16 values is far from float32's limit.
  addFinite(graph, float32.tokens, float32.finite);
  addFinite(graph, graph.node('Cast', [float16.tokens], castTo('float32')), float16.finite);
  for (const [dtype, names] of [['float32', float32] as const, ['float16', float16] as const]) {
    graph.output(names.tokens, dtype, ['batch', tokens, channels]);
    graph.output(names.finite, 'bool', ['batch']);
  }
}

/** Whether all of a view's tokens are finite. One infinity or NaN makes their sum times 0 NaN, which equals nothing. */
function addFinite(graph: Graph, tokens: string, output: string): void {
  const zero = graph.constant('float32', [], [0]);
  const axes = graph.constant('int64', [2], [1, 2]);
  const sum = graph.node('ReduceSum', [tokens, axes], { keepdims: { int: 0 } });
  graph.node('Equal', [graph.node('Mul', [sum, zero]), zero], {}, output);
}
