import sharp from 'sharp';
import type { OutputInfo, SharpOptions } from 'sharp';
import { ServiceError } from '../errors/service-error.ts';
import type { Size } from '../recipes/plan.ts';
import { formatNames, imageFormats, recognise } from './format.ts';
import type { ImageFormat } from './format.ts';
import { hasBoundlessSide, plainHeaderSize } from './header-size.ts';
import type { Raster } from './raster.ts';

/** What a file's header says. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Of the raster that {@link decode} gives with the same `exif`. */
  readonly size: Size;
}

export interface DecodeOptions {
  /** Whether the orientation noted in the file turns the picture. */
  readonly exif: 'apply' | 'ignore';
  /** Largest width times height that is decoded. */
  readonly maxPixels: number;
}

// One image uses one thread; how many are decoded at once is the caller's to bound. Nothing is worth caching: no
// image is opened twice. Loaders that are not unblocked cannot be reached, whatever the bytes say.
sharp.concurrency(1);
sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`),
});

/**
 * Reads format and size from a file's header, without decoding pixels. Rejects with `invalid_argument` for what
 * is empty, not an image, or has a damaged header, and with `unsupported_media` for a format that is not accepted.
 */
export async function probe(bytes: Uint8Array, exif: DecodeOptions['exif']): Promise<ImageHeader> {
  const format = acceptedFormat(bytes);
  const plain = plainHeaderSize(bytes, format);
  if (plain !== undefined) return { format, size: plain };
  if (format === 'avif' && hasBoundlessSide(bytes)) throw undecodable(format);
  const metadata = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw undecodable(format, error);
    });
  const { width, height } = exif === 'apply' ? metadata.autoOrient : metadata;
  return { format, size: { width, height } };
}

/**
 * Decodes a JPEG, PNG, WebP, GIF (first frame), TIFF (first page) or AVIF file to 8-bit RGB: alpha dropped, grey
 * and palettes expanded, colour profiles ignored, deeper or other colours converted. The raster's buffer
 * stays on this thread: it cannot be transferred. `bytes` must not change meanwhile.
 *
 * Rejects as {@link probe} does, with `invalid_argument` also for a truncated or damaged file, and with `too_large`,
 * from the header alone, for more than `maxPixels`. Runs on libuv's threads and cannot be interrupted there.
 */
export async function decode(bytes: Uint8Array, options: DecodeOptions): Promise<Raster> {
  const format = acceptedFormat(bytes);
  const input = {
    ignoreIcc: true,
    autoOrient: options.exif === 'apply',
    limitInputPixels: options.maxPixels,
    // Refuses truncated and broken files, and lets warnings pass, as Pillow does.
    failOn: 'error',
  } as const satisfies SharpOptions;
  // Not toUint8Array: in sharp 0.35.5 it leaks what it copies from.
  let decoded: { readonly data: Buffer; readonly info: OutputInfo };
  try {
    decoded = await sharp(bytes, input)
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
  } catch (error) {
    if (error instanceof Error && error.message.includes('exceeds pixel limit')) {
      const { size } = await probe(bytes, options.exif);
      throw tooManyPixels(size, options.maxPixels, error);
    }
    throw undecodable(format, error);
  }
  const { width, height, channels } = decoded.info;
  if (channels !== 3) {
    throw ServiceError.from(new Error(`decoding gave ${channels} channels for a ${formatNames[format]}`));
  }
  const { buffer, byteOffset, byteLength } = decoded.data;
  return { width, height, data: new Uint8Array(buffer, byteOffset, byteLength) };
}

/** The failure for an image of more pixels than are accepted. */
export function tooManyPixels(size: Size, maxPixels: number, cause?: unknown): ServiceError {
  const [width, height, limit] = [size.width, size.height, maxPixels].map((value) =>
    value.toLocaleString('en-US'),
  );
  const message = `The image has ${width} x ${height} pixels; at most ${limit} pixels are accepted.`;
  return new ServiceError('too_large', message, { cause });
}

function acceptedFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.byteLength === 0) throw new ServiceError('invalid_argument', 'The image is empty.');
  const recognised = recognise(bytes);
  if (recognised.kind === 'accepted') return recognised.format;
  if (recognised.kind === 'refused') {
    throw new ServiceError(
      'unsupported_media',
      `The image is ${recognised.name}, which is not accepted; send ${acceptedNames()}.`,
    );
  }
  throw new ServiceError(
    'invalid_argument',
    `The bytes are not an image of a known format; send ${acceptedNames()}.`,
  );
}

function acceptedNames(): string {
  const names = imageFormats.map((format) => formatNames[format]);
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function undecodable(format: ImageFormat, cause?: unknown): ServiceError {
  const message = `The ${formatNames[format]} cannot be decoded: it is truncated, damaged or of an unusual kind.`;
  return new ServiceError('invalid_argument', message, { cause });
}
