import { type Graph, castTo } from './graph.ts';
import { stateIndex } from '../feature-layer.ts';
import { graphInput, graphOutputs, layerStem, stemOutputs } from '../graph-io.ts';
import { addGraphOutputs } from './graph-outputs.ts';
import type { FormOf } from './int8-linear.ts';
import { LinearBuilder, type GraphWeight } from './linear-builder.ts';
import type { FeatureLayer, Precision } from '../model.ts';
import { gridSide, type Normalisation, type TowerGeometry } from '../tower-geometry.ts';

/** What a tower's graph gives. */
export interface TowerOutputs {
  /** Hidden states, the default first. */
  readonly features: readonly FeatureLayer[];
  /** Whether each is also given with the class token before its patches. */
  readonly classToken: boolean;
  readonly pooled?: PooledVector | undefined;
}

/** The vector of a whole view. */
export interface PooledVector {
  readonly channels: number;
  /** Whether CLIP's visual_projection makes it of the class token. */
  readonly isProjected: boolean;
}

/** What follows a tower's last layer: the name of a norm, and the pooling of its state. */
interface TowerEnd {
  readonly norm?: string;
  readonly pool: (state: string, pooled: PooledVector) => void;
}

/**
 * Adds a tower's parts to a graph with the inputs and outputs of graph-io.ts. States are float32 [batch * tokens,
 * channels]; a class token is the first of its view. With fp16, matrix products and attention are float16, and the
 * residual stream and the norms stay float32. With int8, `formOf` chooses the form of each matrix product of the layers.
 */
export class TowerBuilder {
  readonly linears: LinearBuilder;
  readonly graph: Graph;
  readonly weights: GraphWeight[];
  readonly #geometry: TowerGeometry;
  readonly #classTokens: number;
  readonly #outputs: TowerOutputs;
  /** Tokens of a view in a state. */
  readonly tokens: number;
  /** The shapes [-1, channels] and [-1, tokens, channels]. */
  readonly flat: string;
  readonly perView: string;

  constructor(geometry: TowerGeometry, outputs: TowerOutputs, precision: Precision, formOf?: FormOf) {
    this.#geometry = geometry;
    this.#outputs = outputs;
    this.#classTokens = geometry.architecture === 'clip' ? 1 : 0;
    this.linears = new LinearBuilder(precision, formOf);
    this.graph = this.linears.graph;
    this.weights = this.linears.weights;
    this.tokens = gridSide(geometry) ** 2 + this.#classTokens;
    this.flat = this.graph.constant('int64', [2], [-1, geometry.channels]);
    this.perView = this.graph.constant('int64', [3], [-1, this.tokens, geometry.channels]);
  }

  /** Turns pixels into a state of patches with positions. The embedding is always float32: it is under 1 % of the work. */
  embed(normalisation: Normalisation): string {
    const { graph } = this;
    const tokens =
      this.#classTokens === 0 ? this.#patches(normalisation) : this.#withClass(this.#patches(normalisation));
    return graph.node('Reshape', [graph.node('Add', [tokens, this.#positions()]), this.flat]);
  }

  /** [batch, patches, channels]. */
  #patches(normalisation: Normalisation): string {
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
    const embedded = this.linears.linear(
      this.#normalise(patches, normalisation),
      'embeddings.patch_embedding',
      {
        shape: [channels, 3, patchSize, patchSize],
        layout: 'patches',
        dtype: 'float32',
        bias: this.#classTokens === 0,
      },
    );
    return graph.node('Reshape', [embedded, graph.constant('int64', [3], [-1, side * side, channels])]);
  }

  /** Puts the class token's embedding before every view's patches. */
  #withClass(patches: string): string {
    const { graph } = this;
    const { channels } = this.#geometry;
    const name = 'embeddings.class_embedding';
    this.linears.weight(name, [channels], 'float32');
    const one = graph.constant('int64', [2], [1, channels]);
    const shape = graph.node('Concat', [graph.node('Shape', [patches], { end: { int: 1 } }), one], {
      axis: { int: 0 },
    });
    return graph.node('Concat', [graph.node('Expand', [name, shape]), patches], { axis: { int: 1 } });
  }

  #positions(): string {
    const { channels, imageSize, checkpointImageSize = imageSize, patchSize } = this.#geometry;
    const name = 'embeddings.position_embedding.weight';
    const stored = gridSide({ imageSize: checkpointImageSize, patchSize }) ** 2 + this.#classTokens;
    const place = this.graph.weight(name, 'float32', [this.tokens, channels]);
    this.weights.push({
      tensor: name,
      shape: [stored, channels],
      layout: 'positions',
      dtype: 'float32',
      place,
    });
    return name;
  }

  /**
   * Runs the layers as far as an output needs them, and adds the outputs. `norm` is what last_hidden_state has after the last
   * layer; CLIP's patches have none. `pool` adds the pooled vector of last_hidden_state.
   */
  run(embedded: string, { norm, pool }: TowerEnd): void {
    const { layers } = this.#geometry;
    const isAfterNorm = (layer: FeatureLayer): boolean => layer === 'last_hidden_state';
    const needed = this.#outputs.features.map((layer) => stateIndex(layer, layers));
    const deepest = Math.max(...needed, this.#outputs.pooled === undefined ? 0 : layers);
    let state = embedded;
    for (let index = 0; index <= deepest; index += 1) {
      if (index > 0) state = this.#layer(state, `encoder.layers.${index - 1}`);
      for (const layer of this.#outputs.features) {
        if (stateIndex(layer, layers) === index && !isAfterNorm(layer)) this.#finish(state, layer);
      }
    }
    const { features, pooled } = this.#outputs;
    if (!features.some(isAfterNorm) && pooled === undefined) return;
    const last = norm === undefined ? state : this.norm(state, norm);
    for (const layer of features.filter(isAfterNorm)) this.#finish(last, layer);
    if (pooled !== undefined) pool(last, pooled);
  }

  /** One transformer layer: x += attention(norm1 x); x += mlp(norm2 x). */
  #layer(state: string, name: string): string {
    const { channels, mlpChannels } = this.#geometry;
    const attended = this.#attention(
      this.linears.narrow(this.norm(state, `${name}.layer_norm1`)),
      `${name}.self_attn`,
    );
    const middle = this.graph.node('Add', [state, this.linears.widen(attended)]);
    const normed = this.linears.narrow(this.norm(middle, `${name}.layer_norm2`));
    const wide = this.activate(
      this.linears.linear(normed, `${name}.mlp.fc1`, { shape: [mlpChannels, channels] }),
    );
    const mlp = this.linears.linear(wide, `${name}.mlp.fc2`, { shape: [channels, mlpChannels] });
    return this.graph.node('Add', [middle, this.linears.widen(mlp)]);
  }

  norm(state: string, name: string): string {
    const { channels, epsilon } = this.#geometry;
    for (const part of ['weight', 'bias']) this.linears.weight(`${name}.${part}`, [channels], 'float32');
    return this.graph.node('LayerNormalization', [state, `${name}.weight`, `${name}.bias`], {
      epsilon: { float: epsilon },
    });
  }

  /** The outputs of one hidden state. */
  #finish(state: string, layer: FeatureLayer): void {
    const { graph, perView } = this;
    const { channels } = this.#geometry;
    const names = layer === this.#outputs.features[0] ? graphOutputs : stemOutputs(layerStem(layer));
    if (this.#classTokens === 0) {
      addGraphOutputs(graph, { state, shape: perView, tokens: this.tokens, channels }, names);
      return;
    }
    const tokens = this.tokens - this.#classTokens;
    const axis = graph.constant('int64', [1], [1]);
    const ends = graph.constant('int64', [1], [this.tokens]);
    const patches = graph.node('Slice', [graph.node('Reshape', [state, perView]), axis, ends, axis]);
    const shape = graph.constant('int64', [3], [-1, tokens, channels]);
    addGraphOutputs(graph, { state: patches, shape, tokens, channels }, names);
    if (!this.#outputs.classToken) return;
    const whole = { state, shape: perView, tokens: this.tokens, channels };
    addGraphOutputs(graph, whole, stemOutputs(layerStem(layer, true)));
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
      graph.node('Reshape', [this.linears.linear(normed, `${name}.${part}`, { shape }), this.perView]),
    );
    const attended = graph.node('com.microsoft.MultiHeadAttention', projected, { num_heads: { int: heads } });
    return this.linears.linear(graph.node('Reshape', [attended, this.flat]), `${name}.out_proj`, { shape });
  }

  activate(value: string): string {
    switch (this.#geometry.activation) {
      case 'gelu_tanh':
        return this.graph.node('com.microsoft.FastGelu', [value]);
      case 'gelu_erf':
        return this.graph.node('Gelu', [value]);
      case 'quick_gelu':
        // x * sigmoid(1.702 x), as in OpenAI's CLIP.
        return this.graph.node('com.microsoft.QuickGelu', [value], { alpha: { float: 1.702 } });
    }
  }
}
