import { pooledStem, stemOutputs } from '../graph-io.ts';
import type { TowerGeometry } from '../tower-geometry.ts';
import { addGraphOutputs } from './graph-outputs.ts';
import { projectionTensor } from './tower-names.ts';
import type { PooledVector, TowerBuilder } from './tower.ts';

/** All of it is float32: it is under 1 % of the work. */
const dtype = 'float32';

/** The tensor that tells whether a SigLIP has its pooling head. */
export const probeTensor = 'head.probe';

/**
 * Adds the pooled vector of SigLIP: one learned query attends to all tokens of `state`, and a block of two matrix products
 * follows. transformers calls the result pooler_output.
 */
export function attentionPool(tower: TowerBuilder, geometry: TowerGeometry, state: string): void {
  const { graph, linears } = tower;
  const { channels, heads, mlpChannels } = geometry;
  const attention = 'head.attention';
  linears.weight(probeTensor, [1, 1, channels]);
  // The three matrices are stored as one.
  linears.weight(`${attention}.in_proj_weight`, [3 * channels, channels]);
  linears.weight(`${attention}.in_proj_bias`, [3 * channels]);
  const axis = graph.constant('int64', [1], [0]);
  const projected = (value: string, part: number): string => {
    const [from, to] = [part, part + 1].map((index) => graph.constant('int64', [1], [index * channels]));
    const third = (name: string): string => graph.node('Slice', [`${attention}.${name}`, from!, to!, axis]);
    return graph.node('Gemm', [value, third('in_proj_weight'), third('in_proj_bias')], {
      transB: { int: 1 },
    });
  };
  const perView = (value: string): string => graph.node('Reshape', [value, tower.perView]);
  const [key, value] = [perView(projected(state, 1)), perView(projected(state, 2))];
  const query = projected(graph.node('Reshape', [probeTensor, tower.flat]), 0);
  const views = graph.node('Shape', [key], { end: { int: 1 } });
  const shape = graph.node('Concat', [views, graph.constant('int64', [2], [1, channels])], {
    axis: { int: 0 },
  });
  const queries = graph.node('Expand', [query, shape]);
  const attended = graph.node('com.microsoft.MultiHeadAttention', [queries, key, value], {
    num_heads: { int: heads },
  });
  const square = { shape: [channels, channels], dtype } as const;
  const mixed = linears.linear(
    graph.node('Reshape', [attended, tower.flat]),
    `${attention}.out_proj`,
    square,
  );
  const normed = tower.norm(mixed, 'head.layernorm');
  const wide = linears.linear(normed, 'head.mlp.fc1', { shape: [mlpChannels, channels], dtype });
  const mlp = linears.linear(tower.activate(wide), 'head.mlp.fc2', { shape: [channels, mlpChannels], dtype });
  finish(tower, graph.node('Add', [mixed, mlp]), channels);
}

/**
 * Adds the pooled vector of CLIP: the class token after its norm, projected where the checkpoint has the matrix.
 * transformers calls the result image_embeds, or pooler_output without the projection.
 */
export function classTokenPool(
  tower: TowerBuilder,
  { channels }: TowerGeometry,
  state: string,
  pooled: PooledVector,
): void {
  const { graph, linears } = tower;
  const [from, to] = [0, 1].map((index) => graph.constant('int64', [1], [index]));
  const perView = graph.node('Reshape', [state, tower.perView]);
  const first = graph.node('Slice', [perView, from!, to!, to!]);
  const normed = tower.norm(graph.node('Reshape', [first, tower.flat]), 'post_layernorm');
  const name = projectionTensor.replace(/\.weight$/, '');
  const shape = [pooled.channels, channels];
  finish(
    tower,
    pooled.isProjected ? linears.linear(normed, name, { shape, dtype, bias: false }) : normed,
    pooled.channels,
  );
}

function finish({ graph }: TowerBuilder, state: string, channels: number): void {
  const shape = graph.constant('int64', [3], [-1, 1, channels]);
  addGraphOutputs(graph, { state, shape, tokens: 1, channels }, stemOutputs(pooledStem));
}
