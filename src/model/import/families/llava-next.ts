import type { Family } from './family.ts';
import { llavaTensors, readLlavaProjector } from './llava.ts';
import { readPinpoints } from './pinpoints.ts';

/** Default of transformers' LlavaNextConfig. */
const pinpoints = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
] as const;

/** LLaVA-1.6, also named LLaVA-NeXT, in the layout of llava-hf. Its AnyRes has no limit. */
export const llavaNext: Family = {
  name: 'llava-next',
  matches: (config) => config.get('model_type') === 'llava_next',
  tensors: llavaTensors,
  read: (config, tower) => ({
    ...readLlavaProjector(config, tower, { layer: -2, strategy: 'default' }),
    newline: 'image_newline',
    anyres: { pinpoints: readPinpoints(config, 'height first', pinpoints), maxTiles: 0 },
  }),
};
