import { ServiceError } from './errors.ts';
import { decode, probe, tooManyPixels } from './image/decode.ts';
import type { Raster } from './image/raster.ts';
import type { Size } from './recipes/plan.ts';
import type { EncodeOptions, ImageInput } from './request.ts';

/** Reads images in whichever form they came. */
export interface ImageReader {
  /** From the header alone. Rejects as `probe` does, and with `too_large` past the limit. */
  readSize(image: ImageInput, exif: EncodeOptions['exif']): Promise<Size>;
  /** Rejects as `decode` does. */
  decode(image: ImageInput, exif: EncodeOptions['exif'], signal: AbortSignal): Promise<Raster>;
}

/** A reader of images of at most `maxPixels`. */
export function imageReader(maxPixels: number): ImageReader {
  return {
    async readSize(image, exif) {
      const { size } =
        image.kind === 'raster' ? { size: sizeOf(image.raster) } : await probe(image.bytes, exif);
      if (Math.max(size.width, size.height) > maxSide) throw tooLong(size);
      if (size.width * size.height > maxPixels) throw tooManyPixels(size, maxPixels);
      return size;
    },
    async decode(image, exif, signal) {
      if (image.kind === 'raster') return image.raster;
      return await decode(image.bytes, { exif, maxPixels }, signal);
    },
  };
}

/**
 * Longest side of an image, in pixels: JPEG's own bound. Resampling weighs every pixel of a side, so a thin image of
 * few pixels could otherwise take seconds.
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
