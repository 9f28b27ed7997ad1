import type { TowerGeometry } from '../../src/model/tower-geometry.ts';

const siglip = { architecture: 'siglip', epsilon: 1e-6, activation: 'gelu_tanh' } as const;
const large = { channels: 1024, layers: 24, heads: 16, mlpChannels: 4096 };
const shapeOptimal = { channels: 1152, layers: 27, heads: 16, mlpChannels: 4304 };
const giant = { channels: 1536, layers: 40, heads: 16, mlpChannels: 6144 };

/** SigLIP 2 So400m/16-512, of which SigLIP-HD is a fine-tune. */
export const so400m: TowerGeometry = { ...siglip, ...shapeOptimal, imageSize: 512, patchSize: 16 };

/** The paper's encoders at full size: SigLIP 2's and OpenAI's CLIP. */
export const encoders = {
  'so400m-16-512': so400m,
  'so400m-14-384': { ...siglip, ...shapeOptimal, imageSize: 384, patchSize: 14 },
  'large-16-384': { ...siglip, ...large, imageSize: 384, patchSize: 16 },
  'giant-16-384': { ...siglip, ...giant, imageSize: 384, patchSize: 16 },
  'clip-large-14-336': {
    ...large,
    architecture: 'clip',
    imageSize: 336,
    patchSize: 14,
    epsilon: 1e-5,
    activation: 'quick_gelu',
  },
} as const satisfies Record<string, TowerGeometry>;

export type EncoderName = keyof typeof encoders;
