import type { Size } from '../recipes/plan.ts';
import type { ImageFormat } from './format.ts';

/**
 * The size in the header of an everyday JPEG, PNG or WebP, before any orientation; undefined for every other file:
 * one that notes an orientation, or may, is of another format, or is not as it should be. For those the decoder has
 * to be asked, which costs the calling thread a hundred times as much.
 */
export function plainHeaderSize(bytes: Uint8Array, format: ImageFormat): Size | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = readers[format]?.(view);
  return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined;
}

/**
 * Whether an AVIF states a side ('ispe' of ISO/IEC 23008-12, 6.5.3) that no image of libvips may have: of such a file
 * it would complain on standard error.
 */
export function hasBoundlessSide(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, metaBytes));
  for (let at = file.indexOf('ispe'); at >= 4; at = file.indexOf('ispe', at + 1)) {
    // Length, type, a longer length where the first is 1, version and flags; then the sides.
    const sides = at + (file.readUInt32BE(at - 4) === 1 ? 16 : 8);
    if (sides + 8 > file.byteLength) return false;
    if (Math.max(file.readUInt32BE(sides), file.readUInt32BE(sides + 4)) > libvipsMaxCoord) return true;
  }
  return false;
}

/** The longest side of any image in libvips (VIPS_MAX_COORD). */
const libvipsMaxCoord = 10_000_000;

/** In which an AVIF's metadata lies, but for one that nobody writes. */
const metaBytes = 2 ** 16;

const readers: Partial<Record<ImageFormat, (file: DataView) => Size | undefined>> = {
  jpeg: jpegSize,
  png: pngSize,
  webp: webpSize,
};

/**
 * Beyond so many segments or chunks a file is not an everyday one, and walking them is no work for the calling
 * thread.
 */
const maxParts = 256;

/** Segments up to the scan (ITU T.81, B.2), of which none may be APP1, which holds EXIF or XMP. */
function jpegSize(file: DataView): Size | undefined {
  const [app1, scan] = [0xe1, 0xda];
  let size: Size | undefined;
  for (let at = 2, part = 0; at + 9 <= file.byteLength && part < maxParts; part += 1) {
    const marker = file.getUint8(at + 1);
    if (file.getUint8(at) !== 0xff || marker === app1 || !hasLength(marker)) return undefined;
    if (marker === scan) return size;
    if (isFrame(marker)) {
      if (size !== undefined) return undefined;
      size = { width: file.getUint16(at + 7), height: file.getUint16(at + 5) };
    }
    at += 2 + file.getUint16(at + 2);
  }
  return undefined;
}

/** All but fill bytes, TEM, RST0 to RST7, SOI and EOI. */
function hasLength(marker: number): boolean {
  return marker >= 0xc0 && marker !== 0xff && !(marker >= 0xd0 && marker <= 0xd9);
}

/** SOF0 to SOF15, without DHT, JPG and DAC, which lie among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/** The chunks before the pixels, of which the first is the header and none may be eXIf. */
function pngSize(file: DataView): Size | undefined {
  const [header, pixels, exif] = [0x49484452, 0x49444154, 0x65584966];
  if (file.byteLength < 33 || file.getUint32(12) !== header) return undefined;
  for (let at = 8, part = 0; at + 8 <= file.byteLength && part < maxParts; part += 1) {
    const chunk = file.getUint32(at + 4);
    if (chunk === exif) return undefined;
    if (chunk === pixels) return { width: file.getUint32(16), height: file.getUint32(20) };
    at += 12 + file.getUint32(at);
  }
  return undefined;
}

/** A file of one lossy (RFC 6386, 9.1) or lossless picture (RFC 9649, 3.4), which has no room for EXIF. */
function webpSize(file: DataView): Size | undefined {
  const [lossy, lossless] = [0x56503820, 0x5650384c];
  if (file.byteLength < 30) return undefined;
  const chunk = file.getUint32(12);
  if (chunk === lossy && file.getUint16(23) === 0x9d01 && file.getUint8(25) === 0x2a) {
    return { width: file.getUint16(26, true) & 0x3fff, height: file.getUint16(28, true) & 0x3fff };
  }
  if (chunk === lossless && file.getUint8(20) === 0x2f) {
    const bits = file.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  return undefined;
}
