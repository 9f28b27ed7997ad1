import type { JsonObject } from '../../json-object.ts';
import { gridSide, type TowerGeometry } from '../../tower-geometry.ts';
import type { LinearBuilder } from '../linear-builder.ts';
import type { Family, Preparation } from './family.ts';
import { textWidth } from './text-width.ts';

/** Gemma 3: a mean over squares of features, an RMS norm, and a matrix that is stored transposed. */
export const gemma3: Family = {
  name: 'gemma3',
  matches: (config) => config.get('model_type') === 'gemma3' && config.has('vision_config'),
  tensors: /(?:^|\.)multi_modal_projector\./,
  read: (config, tower) => ({
    features: 'last_hidden_state',
    preparation: poolAndNorm(config, tower),
    linears: [{ weight: 'multi_modal_projector.mm_input_projection_weight', transposed: true }],
    languageWidth: textWidth(config),
  }),
};

function poolAndNorm(config: JsonObject, tower: TowerGeometry): Preparation {
  const key = 'mm_tokens_per_image';
  const patches = gridSide(tower);
  const side = Math.sqrt(config.integer(key, { min: 1, max: patches ** 2, fallback: 256 }));
  const square = patches / side;
  if (!Number.isInteger(side) || !Number.isInteger(square)) {
    throw config.fault(key, `a square number that divides the ${patches} x ${patches} patches of a view`);
  }
  const { channels, epsilon } = tower;
  return {
    settled: ['mean', square, 'rms', epsilon],
    grid: { width: side, height: side },
    channels,
    tensors: [{ name: 'multi_modal_projector.mm_soft_emb_norm.weight', shape: [channels] }],
    add: ({ graph }: LinearBuilder, features, [weight = '']) => {
      const shape = graph.constant('int64', [6], [-1, side, square, side, square, channels]);
      const axes = graph.constant('int64', [2], [2, 4]);
      const squares = graph.node('Reshape', [features, shape]);
      const pooled = graph.node('ReduceMean', [squares, axes], { keepdims: { int: 0 } });
      const rows = graph.node('Reshape', [pooled, graph.constant('int64', [2], [-1, channels])]);
      const power = graph.node('ReduceMean', [
        graph.node('Mul', [rows, rows]),
        graph.constant('int64', [1], [1]),
      ]);
      const size = graph.node('Sqrt', [graph.node('Add', [power, graph.constant('float32', [], [epsilon])])]);
      const scale = graph.node('Add', [weight, graph.constant('float32', [], [1])]);
      return graph.node('Mul', [graph.node('Div', [rows, size]), scale]);
    },
  };
}
