import type { Model } from '../model/model.ts';
import { checkImageSize } from './image-size.ts';
import type { Plan, Size } from './plan.ts';

/**
 * Encode: the whole image squashed to the model's square, one view, its tokens as they are. The image's own size
 * changes nothing; it is an argument because every recipe has it.
 * Throws `invalid_argument` for a size that no image has.
 */
export function planEncode(image: Size, model: Model): Plan {
  checkImageSize(image);
  const square = { width: model.imageSize, height: model.imageSize };
  const origin = { left: 0, top: 0 };
  return {
    recipe: 'encode',
    viewSize: model.imageSize,
    viewGrid: model.grid,
    channels: model.channels,
    canvases: [{ content: square, resample: model.resample, size: square, paste: origin, views: [origin] }],
    assembly: { kind: 'single' },
    shape: [model.grid.width * model.grid.height, model.channels],
    grid: model.grid,
  };
}
