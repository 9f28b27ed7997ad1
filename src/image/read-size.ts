import { ServiceError } from '../errors/service-error.ts';
import type { Size } from '../recipes/plan.ts';
import type { ImageInput, Raster } from './raster.ts';
import { decodedSize, type ExifUse, readHeader } from './read-header.ts';
import { tooManyPixels } from './refusals.ts';

/** Gives an image's size in pixels. */
export type ReadSize = (image: ImageInput, exif: ExifUse) => Promise<Size>;

/** Throws `too_large` for a size that is not decoded. */
export type RequireSize = (size: Size) => void;

/** Refuses more than `maxPixels` and sides longer than `maxSide`. */
export function sizeLimit(maxPixels: number): RequireSize {
  return (size) => {
    if (Math.max(size.width, size.height) > maxSide) throw tooLong(size);
    if (size.width * size.height > maxPixels) throw tooManyPixels(size, maxPixels);
  };
}

/** Reads sizes from headers alone. The reader rejects as `readHeader` does, and as `requireSize` throws. */
export function sizeReader(requireSize: RequireSize): ReadSize {
  return async (image, exif) => {
    const size =
      image.kind === 'raster' ? sizeOf(image.raster) : decodedSize(await readHeader(image.bytes), exif);
    requireSize(size);
    return size;
  };
}

/**
 * Longest side of an image, in pixels: JPEG's own limit. Resampling weighs every pixel of a side, so without it a thin
 * image of few pixels could take seconds.
 */
const maxSide = 65_535;

function tooLong({ width, height }: Size): ServiceError {
  const [across, down, limit] = [width, height, maxSide].map((value) => value.toLocaleString('en-US'));
  return new ServiceError(
    'too_large',
    `The image is ${across} x ${down} pixels; a side is at most ${limit}.`,
  );
}

function sizeOf({ width, height }: Raster): Size {
  return { width, height };
}
