import { ServiceError } from '../errors.ts';
import type { Raster } from '../image/raster.ts';
import type { EncodeRequest, ImageInput } from '../request.ts';
import type { ImageMessage, RawImageMessage } from './messages.ts';
import type { AskedOptions } from './request-options.ts';

/**
 * The request for one image of a message. Throws `invalid_argument` for a missing image and pixels that do not fit
 * their size. A file's bytes stay in the message's buffer, so they must not be transferred; raw pixels are copied out
 * of it and may be.
 */
export function encodeRequestOf(
  image: ImageMessage | null,
  asked: AskedOptions,
  signal: AbortSignal,
): EncodeRequest {
  return { images: [imageOf(image)], stacked: false, ...asked, signal };
}

function imageOf(image: ImageMessage | null): ImageInput {
  if (image?.file !== undefined) return { kind: 'file', bytes: image.file };
  if (image?.raw !== undefined) return { kind: 'raster', raster: rasterOf(image.raw) };
  throw new ServiceError('invalid_argument', 'The request has no image: set image.file or image.raw.');
}

function rasterOf({ width, height, rgb }: RawImageMessage): Raster {
  const expectedBytes = width * height * 3;
  if (expectedBytes === 0)
    throw new ServiceError(
      'invalid_argument',
      `image.raw is ${width} x ${height} pixels; each side must be 1 or more.`,
    );
  if (rgb.byteLength !== expectedBytes)
    throw new ServiceError(
      'invalid_argument',
      `image.raw.rgb has ${rgb.byteLength} bytes; ${width} x ${height} RGB pixels take ${expectedBytes}.`,
    );
  return { width, height, data: new Uint8Array(rgb) };
}
