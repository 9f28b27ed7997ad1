import { ServiceError } from '../errors/service-error.ts';
import { tooManyPixels } from './refusals.ts';
import type { Raster } from './raster.ts';

export interface NpyLimits {
  /** Largest width times height of an image. */
  readonly maxPixels: number;
  /** Largest n of [n, height, width, 3]. */
  readonly maxImages: number;
}

export interface NpyPixels {
  readonly rasters: readonly Raster[];
  /** True for [n, height, width, 3], even if n is 1: the answer then has a first axis of n too. */
  readonly stacked: boolean;
}

const magic = '\x93NUMPY';
/** The longest header that numpy reads from a file it is not told to trust. */
const maxHeaderBytes = 10_000;

/** Whether the bytes start with the .npy signature. */
export function isNpy(bytes: Uint8Array): boolean {
  return latin1(bytes, 0, magic.length) === magic;
}

/**
 * Reads pixels from a .npy file (format 1, 2 or 3) of uint8 in C order, [height, width, 3] or
 * [n, height, width, 3]. The rasters share the buffer of `bytes`. Throws `invalid_argument` for anything else and
 * `too_large` past a limit.
 */
export function readNpyRasters(bytes: Uint8Array, limits: NpyLimits): NpyPixels {
  const { header, dataStart } = readHeader(bytes);
  const { descr, fortran, shape } = parseHeader(header);
  if (!['|u1', 'u1', '<u1', '>u1', '=u1'].includes(descr)) {
    throw invalid(`its dtype is ${printable(descr)} and must be uint8`);
  }
  if (fortran && shape.length > 1) throw invalid('it is in Fortran order and must be in C order');
  const stacked = shape.length === 4;
  const [count, height, width, channels] = stacked ? shape : [1, ...shape];
  if (
    count === undefined ||
    height === undefined ||
    width === undefined ||
    channels !== 3 ||
    shape.length > 4 ||
    shape.includes(0)
  ) {
    throw invalid(
      `its shape is [${printable(shape.join(', '))}] and must be [height, width, 3] or [n, height, width, 3]`,
    );
  }
  if (count > limits.maxImages) {
    throw new ServiceError(
      'too_large',
      `The .npy file has ${count.toLocaleString('en-US')} images; at most ${limits.maxImages.toLocaleString('en-US')} are accepted (--max-images).`,
    );
  }
  if (width * height > limits.maxPixels) throw tooManyPixels({ width, height }, limits.maxPixels);
  const rasterBytes = width * height * 3;
  const foundBytes = bytes.byteLength - dataStart;
  if (foundBytes !== rasterBytes * count) {
    throw invalid(`it has ${foundBytes} bytes of pixels, and its shape needs ${rasterBytes * count}`);
  }
  const rasters = Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart + i * rasterBytes, rasterBytes);
    return { width, height, data };
  });
  return { rasters, stacked };
}

function readHeader(bytes: Uint8Array): { header: string; dataStart: number } {
  if (!isNpy(bytes)) throw invalid('it does not start with the .npy signature');
  if (bytes.byteLength < 12) throw invalid('it is truncated');
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw invalid(`its format version is ${version} and must be 1, 2 or 3`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerStart = version === 1 ? 10 : 12;
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerBytes > maxHeaderBytes) throw invalid('its header is too long');
  const dataStart = headerStart + headerBytes;
  if (dataStart > bytes.byteLength) throw invalid('it is truncated');
  return { header: latin1(bytes, headerStart, dataStart), dataStart };
}

/** Parses the Python dictionary that makes up a header: three keys, in any order. */
function parseHeader(header: string): { descr: string; fortran: boolean; shape: number[] } {
  const body = /^\s*\{(.*)\}\s*$/s.exec(header)?.[1];
  const descr = body && /'descr'\s*:\s*'([^']*)'/.exec(body);
  const order = body && /'fortran_order'\s*:\s*(True|False)/.exec(body);
  const shape = body && /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(body);
  if (!body || !order || !shape) throw invalid('its header cannot be read');
  if (!descr) throw invalid('its dtype is structured and must be uint8');
  const sizes = (shape[1]!.match(/\d+/g) ?? []).map(Number);
  return { descr: descr[1]!, fortran: order[1] === 'True', shape: sizes };
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}

/** The caller's text, made safe for a sentence. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').slice(0, 60);
}

function invalid(why: string): ServiceError {
  return new ServiceError('invalid_argument', `The .npy file cannot be used: ${why}.`);
}
