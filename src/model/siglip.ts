import { Graph, castTo, type Placement } from './graph.ts';
import { graphInput, weightsFile } from './graph-io.ts';
import { addGraphOutputs } from './graph-outputs.ts';
import type { FeatureLayer, Precision } from './model.ts';
import type { WeightDtype } from './weights.ts';

/** A SigLIP vision tower's shape; the names of Hugging Face's SiglipVisionConfig are in checkpoint-config.ts. */
export interface SiglipGeometry {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpChannels: number;
  readonly epsilon: number;
  readonly activation: 'gelu_tanh' | 'gelu_erf';
}

/** A pixel p of channel c enters the tower as (p * rescale - mean[c]) / std[c]. */
export interface Normalisation {
  readonly rescale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** One tensor of the checkpoint, and what becomes of it in the weights file. */
export interface TowerWeight {
  /** Name without `vision_model.`. */
  readonly tensor: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** `patches`: each row [3, patch, patch] is stored as [patch, patch, 3], the order of pixels. */
  readonly layout: 'as stored' | 'patches';
  readonly dtype: WeightDtype;
  readonly place: Placement;
}

export interface Tower {
  readonly graph: Graph;
  /** In the order of the weights file. */
  readonly weights: readonly TowerWeight[];
}

/** Patches on a side; pixels beyond the last whole patch are not seen, as in Hugging Face's convolution. */
export function gridSide(geometry: Pick<SiglipGeometry, 'imageSize' | 'patchSize'>): number {
  return Math.floor(geometry.imageSize / geometry.patchSize);
}

/**
 * The vision tower as a graph with the inputs and outputs of graph-io.ts; formulas as in transformers' SiglipVision
 * Model. With fp16, matrix products and attention are float16; the residual stream and the norms stay float32.
 */
export function siglipTower(
  geometry: SiglipGeometry,
  normalisation: Normalisation,
  features: FeatureLayer,
  precision: Precision,
): Tower {
  const tower = new TowerBuilder(geometry, precision);
  let state = tower.embed(normalisation);
  const layers = features === 'penultimate' ? geometry.layers - 1 : geometry.layers;
  for (let layer = 0; layer < layers; layer += 1) state = tower.layer(state, `encoder.layers.${layer}`);
  if (features === 'last_hidden_state') state = tower.norm(state, 'post_layernorm');
  tower.finish(state);
  return { graph: tower.graph, weights: tower.weights };
}

/** States are float32 [batch * tokens, channels]; what goes into a matrix product has the precision's dtype. */
class TowerBuilder {
  readonly graph = new Graph(weightsFile);
  readonly weights: TowerWeight[] = [];
  readonly #geometry: SiglipGeometry;
  readonly #tokens: number;
  readonly #dtype: WeightDtype;
  readonly #flat: string;
  readonly #perView: string;

  constructor(geometry: SiglipGeometry, precision: Precision) {
    this.#geometry = geometry;
    this.#tokens = gridSide(geometry) ** 2;
    this.#dtype = precision === 'fp16' ? 'float16' : 'float32';
    this.#flat = this.graph.constant('int64', [2], [-1, geometry.channels]);
    this.#perView = this.graph.constant('int64', [3], [-1, this.#tokens, geometry.channels]);
  }

  /** Pixels to embedded patches with positions. The embedding is float32 always: it is under 1 % of the work. */
  embed(normalisation: Normalisation): string {
    const { graph } = this;
    const { imageSize, patchSize, channels } = this.#geometry;
    const side = gridSide(this.#geometry);
    let pixels = graph.input(graphInput, 'uint8', ['batch', imageSize, imageSize, 3]);
    if (side * patchSize < imageSize) {
      const starts = graph.constant('int64', [2], [0, 0]);
      const ends = graph.constant('int64', [2], [side * patchSize, side * patchSize]);
      pixels = graph.node('Slice', [pixels, starts, ends, graph.constant('int64', [2], [1, 2])]);
    }
    const blocks = graph.constant('int64', [5], [-1, side, patchSize, side, patchSize * 3]);
    const rows = graph.constant('int64', [2], [-1, patchSize * patchSize * 3]);
    const order = { perm: { ints: [0, 1, 3, 2, 4] } };
    const patches = graph.node('Reshape', [
      graph.node('Transpose', [graph.node('Reshape', [pixels, blocks])], order),
      rows,
    ]);
    const embedded = this.#linear(this.#normalise(patches, normalisation), 'embeddings.patch_embedding', {
      shape: [channels, 3, patchSize, patchSize],
      layout: 'patches',
      dtype: 'float32',
    });
    const position = 'embeddings.position_embedding.weight';
    this.#weight(position, [this.#tokens, channels], 'float32');
    const positioned = graph.node('Add', [graph.node('Reshape', [embedded, this.#perView]), position]);
    return graph.node('Reshape', [positioned, this.#flat]);
  }

  /** One transformer layer: x += attention(norm1 x); x += mlp(norm2 x). */
  layer(state: string, name: string): string {
    const { channels, mlpChannels } = this.#geometry;
    const attended = this.#attention(
      this.#narrow(this.norm(state, `${name}.layer_norm1`)),
      `${name}.self_attn`,
    );
    const middle = this.graph.node('Add', [state, this.#widen(attended)]);
    const normed = this.#narrow(this.norm(middle, `${name}.layer_norm2`));
    const wide = this.#activate(this.#linear(normed, `${name}.mlp.fc1`, { shape: [mlpChannels, channels] }));
    const mlp = this.#linear(wide, `${name}.mlp.fc2`, { shape: [channels, mlpChannels] });
    return this.graph.node('Add', [middle, this.#widen(mlp)]);
  }

  norm(state: string, name: string): string {
    const { channels, epsilon } = this.#geometry;
    for (const part of ['weight', 'bias']) this.#weight(`${name}.${part}`, [channels], 'float32');
    return this.graph.node('LayerNormalization', [state, `${name}.weight`, `${name}.bias`], {
      epsilon: { float: epsilon },
    });
  }

  /** The outputs of graph-io.ts. */
  finish(state: string): void {
    const tokens = { state, shape: this.#perView, tokens: this.#tokens, channels: this.#geometry.channels };
    addGraphOutputs(this.graph, tokens);
  }

  #normalise(patches: string, { rescale, mean, std }: Normalisation): string {
    const { graph } = this;
    const values = this.#geometry.patchSize ** 2 * 3;
    const repeated = (perChannel: (channel: 0 | 1 | 2) => number): string =>
      graph.constant(
        'float32',
        [values],
        Array.from({ length: values }, (_, i) => perChannel((i % 3) as 0 | 1 | 2)),
      );
    const factors = repeated((channel) => rescale / std[channel]);
    const offsets = repeated((channel) => mean[channel] / std[channel]);
    return graph.node('Sub', [
      graph.node('Mul', [graph.node('Cast', [patches], castTo('float32')), factors]),
      offsets,
    ]);
  }

  #attention(normed: string, name: string): string {
    const { graph } = this;
    const { channels, heads } = this.#geometry;
    const shape = [channels, channels];
    const projected = ['q_proj', 'k_proj', 'v_proj'].map((part) =>
      graph.node('Reshape', [this.#linear(normed, `${name}.${part}`, { shape }), this.#perView]),
    );
    const attended = graph.node('com.microsoft.MultiHeadAttention', projected, { num_heads: { int: heads } });
    return this.#linear(graph.node('Reshape', [attended, this.#flat]), `${name}.out_proj`, { shape });
  }

  #activate(value: string): string {
    return this.#geometry.activation === 'gelu_tanh'
      ? this.graph.node('com.microsoft.FastGelu', [value])
      : this.graph.node('Gelu', [value]);
  }

  /** value * weight^T + bias, with the weight as the checkpoint has it: rows are output channels. */
  #linear(
    value: string,
    name: string,
    weight: {
      readonly shape: readonly number[];
      readonly layout?: TowerWeight['layout'];
      readonly dtype?: WeightDtype;
    },
  ): string {
    const { shape, layout = 'as stored', dtype = this.#dtype } = weight;
    this.#weight(`${name}.weight`, shape, dtype, layout);
    this.#weight(`${name}.bias`, shape.slice(0, 1), dtype);
    return this.graph.node('Gemm', [value, `${name}.weight`, `${name}.bias`], { transB: { int: 1 } });
  }

  #weight(
    tensor: string,
    shape: readonly number[],
    dtype: WeightDtype,
    layout: TowerWeight['layout'] = 'as stored',
  ): void {
    const [rows = 1, ...row] = shape;
    const stored = layout === 'patches' ? [rows, row.reduce((product, size) => product * size, 1)] : shape;
    const place = this.graph.weight(tensor, dtype, stored);
    this.weights.push({ tensor, shape, layout, dtype, place });
  }

  #narrow(value: string): string {
    return this.#dtype === 'float32' ? value : this.graph.node('Cast', [value], castTo('float16'));
  }

  #widen(value: string): string {
    return this.#dtype === 'float32' ? value : this.graph.node('Cast', [value], castTo('float32'));
  }
}
