import { invalidArgument } from '../../errors/invalid-argument.ts';
import { stateIndex } from '../feature-layer.ts';
import type { FeatureLayer } from '../model.ts';
import type { TowerGeometry } from '../tower-geometry.ts';
import type { Checkpoint } from './checkpoint.ts';
import { probeTensor } from './pooling.ts';
import type { PooledVector, TowerOutputs } from './tower.ts';
import { projectionTensor } from './tower-names.ts';

/** What a model folder is to give. */
export interface OutputOptions {
  /** Hidden states, the default first; the projector's when absent, or else last_hidden_state. */
  readonly features?: readonly FeatureLayer[] | undefined;
  /** Whether each can be had with its class token. */
  readonly classToken?: boolean | undefined;
  /** Whether the pooled vector can be had. */
  readonly pooled?: boolean | undefined;
}

/** The default features of a folder, and what else it gives. */
interface ChosenOutputs {
  readonly features: FeatureLayer;
  readonly outputs: TowerOutputs | undefined;
}

/**
 * Chooses what a folder of this checkpoint gives. `own` are the features that its projector takes. Rejects with
 * `invalid_argument` what the checkpoint does not have.
 */
export async function chooseOutputs(
  { features = [], classToken = false, pooled = false }: OutputOptions,
  own: FeatureLayer | undefined,
  geometry: TowerGeometry,
  checkpoint: Checkpoint,
): Promise<ChosenOutputs> {
  const [first = own ?? 'last_hidden_state', ...others] = features;
  if (own !== undefined && first !== own) {
    const asked = [own, ...features.filter((layer) => layer !== own)].join(',');
    throw invalidArgument(
      `--features ${features.join(',')} does not fit the projector, which takes ${own}: name that first, --features ${asked}, ` +
        'or import the tower alone with --tower-only.',
    );
  }
  const { architecture, layers } = geometry;
  const missing = features.find((layer) => stateIndex(layer, layers) < 0);
  if (missing !== undefined) {
    throw invalidArgument(
      `--features ${missing} is no hidden state of this tower: its ${layers} layers have -1 to ${-layers - 1}.`,
    );
  }
  if (classToken && architecture !== 'clip') {
    throw invalidArgument('--class-token is for CLIP: a SigLIP has no class token. Leave it out.');
  }
  if (others.length === 0 && !classToken && !pooled) return { features: first, outputs: undefined };
  const vector = pooled ? await pooledVector(geometry, checkpoint) : undefined;
  return { features: first, outputs: { features: [first, ...others], classToken, pooled: vector } };
}

async function pooledVector(
  { architecture, channels }: TowerGeometry,
  checkpoint: Checkpoint,
): Promise<PooledVector> {
  if (architecture === 'siglip') {
    if (checkpoint.has(probeTensor)) return { channels, isProjected: false };
    throw invalidArgument(
      `--pooled needs the pooling head of SigLIP, and the checkpoint has no ${probeTensor}. Leave it out.`,
    );
  }
  if (!checkpoint.has(projectionTensor)) return { channels, isProjected: false };
  const [projected = 0] = await checkpoint.shape(projectionTensor);
  return { channels: projected, isProjected: true };
}
