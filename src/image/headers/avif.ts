import type { OrientationNotes } from './file-header.ts';
import { exifOrientation, type Orientation, orientationOf } from './orientation.ts';

/**
 * The orientation that is left to apply once an AVIF is decoded. The decoder applies the file's own rotation and mirror.
 * As in Pillow these outrank EXIF, so EXIF never turns an AVIF; XMP does if neither says anything.
 */
export function avifOrientation(file: Buffer, { exif, xmp }: OrientationNotes): Orientation {
  const isSettled = isTransformed(file) || (exif !== undefined && exifOrientation(exif) !== 'none');
  return isSettled ? 1 : orientationOf({ xmp });
}

/**
 * The same file, changed so that libvips decodes it as Pillow does. The brand of a still image comes first: libvips does
 * not know the others of AVIF, although it decodes the first frame of a sequence. No clean aperture (ISO/IEC 14496-12,
 * 12.1.4) crops the picture, as Pillow ignores it.
 */
export function asStillPicture(file: Buffer): Buffer {
  const apertures = boxes(file, 'clap').filter((at) => file.readUInt32BE(at - 4) === apertureBytes);
  if (file.toString('latin1', 8, 12) === 'avif' && apertures.length === 0) return file;
  const copy = Buffer.from(file);
  copy.write('avif', 8, 'latin1');
  for (const at of apertures) copy.write('free', at, 'latin1');
  return copy;
}

const apertureBytes = 40;

/**
 * Whether an AVIF claims a side ('ispe' of ISO/IEC 23008-12, 6.5.3) longer than libvips allows. libvips would complain
 * about such a file on standard error.
 */
export function hasBoundlessSide(file: Buffer): boolean {
  for (const at of boxes(file, 'ispe')) {
    // Length, type, a longer length if the first is 1, version and flags; then the sides.
    const sides = at + (file.readUInt32BE(at - 4) === 1 ? 16 : 8);
    if (sides + 8 > Math.min(file.byteLength, metaBytes)) return false;
    if (Math.max(file.readUInt32BE(sides), file.readUInt32BE(sides + 4)) > libvipsMaxCoord) return true;
  }
  return false;
}

/** Longest side of any image in libvips (VIPS_MAX_COORD). */
const libvipsMaxCoord = 10_000_000;

/** Whether an AVIF's colours are multiplied by its alpha ('prem' of ISO/IEC 23008-12, 7.3.5.2). */
export function hasPremultipliedAlpha(file: Buffer): boolean {
  return boxes(file, 'prem').some((at) => {
    const sizeBytes = file.readUInt32BE(at - 4);
    return sizeBytes === 14 || sizeBytes === 18;
  });
}

/** The metadata of any AVIF seen in practice fits in so many bytes. */
const metaBytes = 2 ** 16;

/** Whether there is a box for a rotation by other than 0 degrees, or for a mirror (ISO/IEC 23008-12, 6.5.10 and 12). */
function isTransformed(file: Buffer): boolean {
  const holdsOneByte = (at: number) => file.readUInt32BE(at - 4) === 9;
  return (
    boxes(file, 'irot').some((at) => holdsOneByte(at) && (file[at + 4]! & 3) !== 0) ||
    boxes(file, 'imir').some(holdsOneByte)
  );
}

/** Where the metadata has boxes of that type: the offsets of the type, before which lies the box's length. */
function boxes(file: Buffer, type: string): number[] {
  const found: number[] = [];
  const meta = file.subarray(0, metaBytes);
  for (let at = meta.indexOf(type, 4); at !== -1; at = meta.indexOf(type, at + 1)) found.push(at);
  return found;
}
