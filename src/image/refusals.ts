import { ServiceError } from '../errors/service-error.ts';
import type { Size } from '../recipes/plan.ts';
import { formatNames, imageFormats, type ImageFormat } from './format.ts';
import { FileFault } from './headers/file-fault.ts';

/** Refuses an image with more pixels than are accepted. */
export function tooManyPixels(size: Size, maxPixels: number): ServiceError {
  const [width, height, limit] = [size.width, size.height, maxPixels].map((value) =>
    value.toLocaleString('en-US'),
  );
  return new ServiceError(
    'too_large',
    `The image has ${width} x ${height} pixels; at most ${limit} pixels are accepted (--max-pixels).`,
  );
}

/** Refuses bytes in which no image format is recognised. */
export function notAnImage(): ServiceError {
  return new ServiceError(
    'invalid_argument',
    `The bytes are not an image of a known format; send ${acceptedNames()}.`,
  );
}

/** Refuses an image format that is known by name but not decoded. */
export function notAccepted(name: string): ServiceError {
  const why =
    name === 'HEIC'
      ? 'whose HEVC coding is not supported; convert it to JPEG or PNG'
      : `which is not accepted; send ${acceptedNames()}`;
  return new ServiceError('unsupported_media', `The image is ${name}, ${why}.`);
}

/** Refuses a file that cannot be decoded, with the decoder's reason as far as it helps a caller. */
export function undecodable(format: ImageFormat, cause: unknown): ServiceError {
  const message = `The ${formatNames[format]} cannot be decoded: ${reasonOf(cause)}.`;
  return new ServiceError('invalid_argument', message, { cause });
}

function acceptedNames(): string {
  const names = imageFormats.map((format) => formatNames[format]);
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function reasonOf(cause: unknown): string {
  if (cause instanceof FileFault) return cause.message;
  const said = cause instanceof Error ? cause.message : '';
  for (const [pattern, told] of unsupported) {
    const match = pattern.exec(said);
    if (match !== null) return `${told.replace('$1', match[1] ?? '')}; convert the image to PNG or JPEG`;
  }
  const detail = detailOf(said);
  return `it is truncated, damaged or of an unusual kind${detail === undefined ? '' : ` (${detail})`}`;
}

/** What libvips and sharp say of sound files that they do not support, and what the caller is told. */
const unsupported: readonly (readonly [said: RegExp, told: string])[] = [
  [/(\w+) compression support is not configured/, '$1 compression is not supported'],
  [/Compression scheme 34712 /, 'JPEG 2000 compression is not supported'],
  [/Compression scheme 50002 /, 'JPEG XL compression is not supported'],
  [/Compression scheme (\d+) /, 'compression scheme $1 is not supported'],
  [/compression format has not been built in: (\w+)/, '$1 coding is not supported'],
  [/bad labq format/, 'CIELAB colours are not supported'],
  [/exceeds channel limit/, 'more than 5 channels are not supported'],
  [/JPEG data precision (\d+)/, '$1 bits a sample are not supported'],
  [/marker type 0xf7/, 'JPEG-LS is not supported'],
  [/tiled separate planes not supported/, 'tiles in separate planes are not supported'],
  [/samples out of range/, 'samples of its number or width are not supported'],
];

/** The last line of a decoder's message that helps a caller: bounded, and free of names of files and of libraries. */
function detailOf(said: string): string | undefined {
  const lines = said.split('\n', maxLines).map((line) => line.replace(origin, '').replace(errorNumber, ''));
  return lines.findLast((line) => helpful.test(line) && !internal.test(line));
}

const maxLines = 50;
const origin = /^(?:(?:\w+|Input buffer has corrupt header|source input|Invalid input): )+/;
/** libheif's. */
const errorNumber = / \(\d+\.\d+\)$/;
const helpful = /^[\w ,.:()%'"-]{1,120}$/;
const internal = /vips|sharp|lib|seek|buffer|TIFF_|Input image|Unknown error/i;
