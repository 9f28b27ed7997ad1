import type { Model } from '../../src/model/model.ts';

/** SigLIP 2 So400m's geometry at 512 px, of a folder that is not there. */
export const benchModel: Model = {
  name: 'so400m',
  folder: '/nonexistent',
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: 1152,
  layers: 27,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
  resize: 'squash',
  towerDigest: '0'.repeat(64),
};
