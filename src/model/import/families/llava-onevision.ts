import type { Family } from './family.ts';
import { llavaTensors, readLlavaProjector } from './llava.ts';
import { readMaxTiles, readPinpoints } from './pinpoints.ts';

/** Default of transformers' LlavaOnevisionConfig: all grids of up to 6 x 6 squares. */
const sides = [1, 2, 3, 4, 5, 6].map((squares) => squares * 384);
const pinpoints = sides.flatMap((height) => sides.map((width) => [height, width] as const));

/** LLaVA-OneVision in the layout of llava-hf, whose tower ends before the last layer of its SigLIP. */
export const llavaOnevision: Family = {
  name: 'llava-onevision',
  matches: (config) => config.get('model_type') === 'llava_onevision',
  tensors: llavaTensors,
  read: (config, tower) => ({
    ...readLlavaProjector(config, tower, { layer: -1, strategy: 'full' }),
    newline: 'image_newline',
    anyres: {
      pinpoints: readPinpoints(config, 'height first', pinpoints),
      maxTiles: readMaxTiles(config, 'vision_aspect_ratio', 'anyres_max_9'),
    },
  }),
};
