import type { Model } from '../../src/model/model.ts';

/** A SigLIP-shaped model of 512 px and 32 x 32 tokens. Tests change what they need. */
export const stubModel: Model = {
  name: 'stub',
  folder: '/models/stub',
  digest: `sha256:${'ab'.repeat(32)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: 24,
  layers: 2,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
  resize: 'squash',
  towerDigest: '0'.repeat(64),
};
