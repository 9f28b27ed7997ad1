import type { Model } from '../../src/model/model.ts';

/** A SigLIP-shaped model of 512 px and 32 x 32 tokens. */
export const model: Model = {
  name: 'tiny',
  folder: '/nowhere',
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: 48,
  layers: 2,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
  resize: 'squash',
  towerDigest: '0'.repeat(64),
};
