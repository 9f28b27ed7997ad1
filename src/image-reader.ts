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
      if (size.width * size.height > maxPixels) throw tooManyPixels(size, maxPixels);
      return size;
    },
    async decode(image, exif, signal) {
      if (image.kind === 'raster') return image.raster;
      return await decode(image.bytes, { exif, maxPixels }, signal);
    },
  };
}

function sizeOf({ width, height }: Raster): Size {
  return { width, height };
}
