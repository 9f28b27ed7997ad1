import { invalidArgument } from '../../../errors/invalid-argument.ts';
import type { JsonObject } from '../../json-object.ts';
import { gridSide, type TowerGeometry } from '../../tower-geometry.ts';
import type { LinearBuilder } from '../linear-builder.ts';
import type { Family, Preparation } from './family.ts';
import { textWidth } from './text-width.ts';

/** Idefics3 and SmolVLM: squares of features side by side in one row, and a matrix without a bias. */
function familyOf(name: 'idefics3' | 'smolvlm'): Family {
  return {
    name,
    matches: (config) => config.get('model_type') === name,
    tensors: /(?:^|\.)connector\./,
    read: (config, tower) => ({
      features: 'last_hidden_state',
      preparation: shuffle(config, tower),
      linears: [{ weight: 'model.connector.modality_projection.proj.weight' }],
      languageWidth: textWidth(config),
    }),
  };
}

export const idefics3 = familyOf('idefics3');
export const smolvlm = familyOf('smolvlm');

/** Patches along a side that Idefics3 models have, at most. */
const largestSide = 64;

/**
 * The sides up to {@link largestSide} at which transformers takes some positions one too low: it finds them by
 * `torch.bucketize` over float32 fractions, whose rounding varies with the width of the CPU's vectors.
 */
const shiftedSides = new Set([19, 25, 29, 31, 38, 40, 41, 43, 47, 49, 50, 54, 55, 58, 59, 61, 62]);

function requirePlainPositions(patches: number, { where }: JsonObject): void {
  if (patches <= largestSide && !shiftedSides.has(patches)) return;
  throw invalidArgument(
    `${where}: a view has ${patches} patches along a side, and there the positions that transformers computes for ` +
      'Idefics3 depend on the machine. Give another --image-size.',
  );
}

/** Pixel shuffle: a row holds a square of features, left to right and then down. */
function shuffle(config: JsonObject, tower: TowerGeometry): Preparation {
  const patches = gridSide(tower);
  requirePlainPositions(patches, config);
  const square = config.integer('scale_factor', { min: 1, max: patches, fallback: 2 });
  const side = patches / square;
  if (!Number.isInteger(side)) {
    throw config.fault('scale_factor', `a divisor of the ${patches} patches along a side of a view`);
  }
  const { channels } = tower;
  return {
    settled: ['shuffle', square],
    grid: { width: side, height: side },
    channels: square * square * channels,
    tensors: [],
    add: ({ graph }: LinearBuilder, features) => {
      const shape = graph.constant('int64', [6], [-1, side, square, side, square, channels]);
      const squares = graph.node('Transpose', [graph.node('Reshape', [features, shape])], {
        perm: { ints: [0, 1, 3, 2, 4, 5] },
      });
      const rows = graph.constant('int64', [2], [-1, square * square * channels]);
      return graph.node('Reshape', [squares, rows]);
    },
  };
}
