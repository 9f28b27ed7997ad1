import { ServiceError } from '../errors/service-error.ts';
import type { Size } from './plan.ts';

/** Throws `invalid_argument` unless both sides are whole numbers from 1 on. */
export function checkImageSize({ width, height }: Size): void {
  for (const side of [width, height]) {
    if (Number.isSafeInteger(side) && side >= 1) continue;
    throw new ServiceError(
      'invalid_argument',
      `An image of ${width} x ${height} pixels cannot be; width and height are whole numbers from 1 on.`,
    );
  }
}
