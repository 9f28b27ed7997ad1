import { ServiceError } from '../errors/service-error.ts';
import type { Size } from '../recipes/plan.ts';
import { type ImageFormat, recognise } from './format.ts';
import { avifOrientation, hasBoundlessSide, asStillPicture } from './headers/avif.ts';
import { FileFault } from './headers/file-fault.ts';
import type { FileHeader } from './headers/file-header.ts';
import { type GifFrame, readGifFrame } from './headers/gif.ts';
import { readJpegHeader } from './headers/jpeg.ts';
import { type Orientation, orientationOf, turnedSize } from './headers/orientation.ts';
import { readPngHeader } from './headers/png.ts';
import { readTiffHeader, withValidOrientation } from './headers/tiff.ts';
import { readWebpHeader } from './headers/webp.ts';
import { notAccepted, notAnImage, undecodable } from './refusals.ts';
import { sharp } from './sharp.ts';

/** What a file says of its picture, and what decoding it takes. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored, before the orientation. */
  readonly size: Size;
  readonly orientation: Orientation;
  /** Bits of a sample of CMYK; undefined for other colours. */
  readonly cmykBits?: 8 | 16 | undefined;
  /** Of a GIF only. */
  readonly gifFrame?: GifFrame;
}

/** Whether the orientation noted in a file turns the picture. */
export type ExifUse = 'apply' | 'ignore';

/**
 * Reads a file's header, without decoding pixels. Rejects with `invalid_argument` for what is empty, not an image, or
 * has a damaged header, and with `unsupported_media` for a format that is not accepted.
 *
 * Reads everyday files itself, in well under a millisecond. For others it asks libvips, on libuv's threads, which costs
 * the calling thread a hundred times as much.
 */
export async function readHeader(bytes: Uint8Array): Promise<ImageHeader> {
  const format = acceptedFormat(bytes);
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (format === 'gif') return readGifHeader(file);
    if (format === 'avif') return await readAvifHeader(file);
    const header = await readers[format](file);
    const { size } = header;
    const orientation = orientationOf(header);
    if (size !== undefined) return { format, size, orientation };
    const { width, height, space, channels, depth } = await askLibvips(file, format);
    const cmykBits = space === 'cmyk' && channels === 4 ? sampleBits[depth] : undefined;
    return { format, size: { width, height }, orientation, cmykBits };
  } catch (error) {
    throw error instanceof FileFault ? undecodable(format, error) : error;
  }
}

/** The file, or a changed copy if libvips would refuse it or read it differently from Pillow. */
export function libvipsInput(file: Buffer, format: ImageFormat): Buffer {
  if (format === 'avif') return asStillPicture(file);
  return format === 'tiff' ? withValidOrientation(file) : file;
}

/** The size of the decoded picture. */
export function decodedSize({ size, orientation }: ImageHeader, exif: ExifUse): Size {
  return turnedSize(size, exif === 'apply' ? orientation : 1);
}

const sampleBits: Readonly<Record<string, 8 | 16>> = { uchar: 8, ushort: 16 };

const readers = {
  jpeg: readJpegHeader,
  png: readPngHeader,
  webp: readWebpHeader,
  tiff: readTiffHeader,
} as const satisfies Partial<Record<ImageFormat, (file: Buffer) => FileHeader | Promise<FileHeader>>>;

function readGifHeader(file: Buffer): ImageHeader {
  const gifFrame = readGifFrame(file);
  return { format: 'gif', size: gifFrame.canvas, orientation: 1, gifFrame };
}

async function readAvifHeader(file: Buffer): Promise<ImageHeader> {
  if (hasBoundlessSide(file)) throw new FileFault('it claims a side of more than 10,000,000 pixels');
  const { width, height, exif, xmp } = await askLibvips(file, 'avif');
  const orientation = avifOrientation(file, { exif, xmp });
  return { format: 'avif', size: { width, height }, orientation };
}

async function askLibvips(file: Buffer, format: ImageFormat) {
  try {
    return await sharp(libvipsInput(file, format), { limitInputPixels: false, failOn: 'error' }).metadata();
  } catch (error) {
    throw undecodable(format, error);
  }
}

function acceptedFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.byteLength === 0) throw new ServiceError('invalid_argument', 'The image is empty.');
  const recognised = recognise(bytes);
  if (recognised.kind === 'unknown') throw notAnImage();
  if (recognised.kind === 'refused') throw notAccepted(recognised.name);
  return recognised.format;
}
