import type { Sharp } from 'sharp';
import { ServiceError } from '../errors/service-error.ts';
import { formatNames } from './format.ts';
import { decodeGif } from './gif.ts';
import { hasPremultipliedAlpha } from './headers/avif.ts';
import { FileFault } from './headers/file-fault.ts';
import type { Orientation } from './headers/orientation.ts';
import { readSequentialJpeg, type SequentialJpeg } from './headers/sequential-jpeg.ts';
import { decodeJpeg, readJpeg } from './jpeg.ts';
import type { Raster, RowSource } from './raster.ts';
import { decodedSize, type ExifUse, type ImageHeader, libvipsInput, readHeader } from './read-header.ts';
import { tooManyPixels, undecodable } from './refusals.ts';
import { sharp } from './sharp.ts';

export interface DecodeOptions {
  readonly exif: ExifUse;
  /** Largest width times height that is decoded. */
  readonly maxPixels: number;
}

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF file, or its first frame or page, to the pixels of Pillow's
 * `convert('RGB')` after ImageOps.exif_transpose; docs/pixels.md lists the exceptions. The raster's buffer stays on
 * this thread: not every one can be transferred. `bytes` must not change meanwhile.
 *
 * Rejects as {@link readHeader} does, with `invalid_argument` also for a truncated or damaged file, and with
 * `too_large`, from the header alone, for more than `maxPixels`. Keeps this thread busy with ordinary JPEGs, GIFs and CMYK;
 * libvips decodes all others, on libuv's threads. Cannot be interrupted.
 */
export async function decode(bytes: Uint8Array, options: DecodeOptions): Promise<Raster> {
  return await decodeWhole(await openFile(bytes, options));
}

/**
 * As {@link decode}, but gives the pixels to `use` and frees them afterwards. If `readsOnce`, `use` reads an ordinary JPEG that is
 * stored upright while it is decoded. Should the file prove irregular, the result is dropped, and `use` is called again with
 * all pixels.
 */
export async function decodeInto<T>(
  bytes: Uint8Array,
  options: DecodeOptions,
  readsOnce: boolean,
  use: (pixels: Raster | RowSource) => T,
): Promise<T> {
  const opened = await openFile(bytes, options);
  const { file, jpeg, orientation } = opened;
  const isRead = readsOnce && jpeg !== undefined && orientation === 1;
  const result = isRead ? readJpeg(file, jpeg, use) : undefined;
  if (result !== undefined) return result;
  const raster = await decodeWhole(isRead ? { ...opened, jpeg: undefined } : opened);
  try {
    return use(raster);
  } finally {
    raster.release?.();
  }
}

interface OpenedFile {
  readonly file: Buffer;
  readonly header: ImageHeader;
  /** Of an ordinary JPEG; others are left to libvips, which decodes or refuses them. */
  readonly jpeg: SequentialJpeg | undefined;
  readonly orientation: Orientation;
  readonly maxPixels: number;
}

async function openFile(bytes: Uint8Array, { exif, maxPixels }: DecodeOptions): Promise<OpenedFile> {
  const header = await readHeader(bytes);
  const size = decodedSize(header, exif);
  if (size.width * size.height > maxPixels) throw tooManyPixels(size, maxPixels);
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const jpeg = header.format === 'jpeg' ? readSequentialJpeg(file) : undefined;
  const isOfSize = jpeg?.size.width === header.size.width && jpeg.size.height === header.size.height;
  const orientation = exif === 'apply' ? header.orientation : 1;
  return { file, header, jpeg: isOfSize ? jpeg : undefined, orientation, maxPixels };
}

async function decodeWhole({ file, header, jpeg, orientation, maxPixels }: OpenedFile): Promise<Raster> {
  const { format, gifFrame } = header;
  try {
    if (gifFrame !== undefined) return decodeGif(file, gifFrame);
  } catch (error) {
    throw error instanceof FileFault ? undecodable(format, error) : error;
  }
  const raster = jpeg === undefined ? undefined : decodeJpeg(file, jpeg, orientation);
  return raster ?? (await decodeByLibvips(file, header, orientation, maxPixels));
}

async function decodeByLibvips(
  file: Buffer,
  { format, cmykBits }: ImageHeader,
  orientation: Orientation,
  maxPixels: number,
): Promise<Raster> {
  const isCmyk = cmykBits !== undefined;
  const isPremultiplied = format === 'avif' && hasPremultipliedAlpha(file);
  const input = sharp(libvipsInput(file, format), {
    ignoreIcc: true,
    limitInputPixels: maxPixels,
    // Refuses truncated and broken files, and lets warnings pass, as Pillow does.
    failOn: 'error',
  });
  const coloured = isCmyk
    ? input.pipelineColourspace('cmyk').toColourspace('cmyk')
    : (isPremultiplied ? input.ensureAlpha() : input.removeAlpha()).toColourspace('srgb');
  // Not toUint8Array: in sharp 0.35.5 it leaks what it copies from.
  const { data, info } = await turned(coloured, orientation)
    .raw({ depth: cmykBits === 16 ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw undecodable(format, error);
    });
  if (info.channels !== (isCmyk || isPremultiplied ? 4 : 3)) {
    throw ServiceError.from(
      new Error(`decoding gave ${info.channels} channels for a ${formatNames[format]}`),
    );
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const pixels = cmykBits === 16 ? highBytes(bytes) : bytes;
  const rgb = isCmyk ? rgbOfCmyk(pixels) : isPremultiplied ? withoutAlpha(pixels) : pixels;
  return { width: info.width, height: info.height, data: rgb };
}

/** Mirrors left to right, then rotates clockwise. */
function turned(image: Sharp, orientation: Orientation): Sharp {
  const { mirrors, degrees } = turns[orientation];
  if (mirrors) image.flop();
  return degrees === 0 ? image : image.rotate(degrees);
}

const turns = {
  1: { mirrors: false, degrees: 0 },
  2: { mirrors: true, degrees: 0 },
  3: { mirrors: false, degrees: 180 },
  4: { mirrors: true, degrees: 180 },
  5: { mirrors: true, degrees: 270 },
  6: { mirrors: false, degrees: 90 },
  7: { mirrors: true, degrees: 90 },
  8: { mirrors: false, degrees: 270 },
} as const satisfies Record<Orientation, { mirrors: boolean; degrees: number }>;

/** Pillow's cmyk2rgb (Convert.c), in place: what is left of white after black, less the share of each ink. */
function rgbOfCmyk(pixels: Uint8Array): Uint8Array {
  const rgb = pixels.subarray(0, (pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    const white = 255 - pixels[from + 3]!;
    for (const end = to + 3, ink = from - to; to < end; to++) {
      const product = pixels[to + ink]! * white + 128;
      rgb[to] = white - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

/** The upper halves of samples of 16 bits, in place: Pillow reads nothing else of them. */
function highBytes(samples: Uint8Array): Uint8Array {
  const high = samples.subarray(0, samples.length / 2);
  // sharp gives them in the order of the machine, and its binaries are for little-endian ones.
  for (let i = 0; i < high.length; i++) high[i] = samples[i * 2 + 1]!;
  return high;
}

/** The colours of premultiplied RGBA, in place: divided by alpha, and black where nothing shows, as libavif has them. */
function withoutAlpha(pixels: Uint8Array): Uint8Array {
  const rgb = pixels.subarray(0, (pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    const alpha = pixels[from + 3]!;
    for (const end = to + 3, ahead = from - to; to < end; to++) {
      const colour = pixels[to + ahead]!;
      rgb[to] = alpha === 0 ? 0 : Math.min(255, Math.round((colour * 255) / alpha));
    }
  }
  return rgb;
}
