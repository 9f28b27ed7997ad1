import { ServiceError } from '../errors.ts';
import type { Raster } from '../image/raster.ts';
import { parseEncodeOptions } from '../request-options.ts';
import type { EncodeOptions, EncodeRequest, ImageInput } from '../request.ts';
import {
  dtypeNumbers,
  type EncodeRequestMessage,
  exifNumbers,
  featureNumbers,
  type ImageMessage,
  type RawImageMessage,
  type RequestOptionsMessage,
} from './messages.ts';

/**
 * The request that an EncodeRequest message makes. Throws `invalid_argument` for a missing image, pixels that do not
 * fit their size, and what `parseEncodeOptions` refuses. A file's bytes stay in the message's buffer, so they must
 * not be transferred; raw pixels are copied out of it and may be.
 */
export function encodeRequestOf(message: EncodeRequestMessage, signal: AbortSignal): EncodeRequest {
  return {
    images: [imageOf(message.image)],
    stacked: false,
    options: optionsOf(message.options),
    signal,
  };
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

function optionsOf(options: RequestOptionsMessage | null): EncodeOptions {
  if (options === null) return parseEncodeOptions({});
  return parseEncodeOptions({
    model: options.model === '' ? undefined : options.model,
    expect_digest: options.expectDigest === '' ? undefined : options.expectDigest,
    expect_features: wireName(featureNumbers, options.expectFeatures),
    dtype: wireName(dtypeNumbers, options.dtype),
    exif: wireName(exifNumbers, options.exif),
  });
}

/** An enum's number as the parser's name for it; a number that is not known goes on as it is, to be refused there. */
function wireName(numbers: Readonly<Record<string, number>>, number: number): string | undefined {
  if (number === 0) return undefined;
  return Object.keys(numbers).find((name) => numbers[name] === number) ?? String(number);
}
