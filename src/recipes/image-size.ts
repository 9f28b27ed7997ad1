import { ServiceError } from '../errors/service-error.ts';
import type { Size } from './plan.ts';

/** Throws `invalid_argument` unless both sides are positive whole numbers. */
export function checkImageSize({ width, height }: Size): void {
  for (const side of [width, height]) {
    if (Number.isSafeInteger(side) && side >= 1) continue;
    throw new ServiceError(
      'invalid_argument',
      `The image size is ${width} x ${height} pixels; width and height must be positive whole numbers.`,
    );
  }
}
