import type { Size } from '../../recipes/plan.ts';
import type { OrientationNotes } from './file-header.ts';
import { TiffDirectory } from './tiff-directory.ts';

/** How the stored picture must be turned to be upright, in EXIF's numbers: 1 is as stored. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/**
 * The orientation that Pillow's ImageOps.exif_transpose (12.3) applies. XMP counts only if EXIF has no orientation at
 * all. With an invalid one, or with EXIF that cannot be read, the picture stays as stored.
 */
export function orientationOf({ exif, xmp }: OrientationNotes): Orientation {
  const noted = exif === undefined ? 'none' : exifOrientation(exif);
  if (noted !== 'none') return noted;
  return xmp === undefined ? 1 : xmpOrientation(xmp);
}

/** A picture's size once it is upright. */
export function turnedSize({ width, height }: Size, orientation: Orientation): Size {
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

export const orientationTag = 0x0112;
const exifPrefix = Buffer.from('Exif\0\0', 'latin1');

/** 'none' if the block has no orientation; 1 if it has an invalid one, or cannot be read. */
export function exifOrientation(exif: Uint8Array): Orientation | 'none' {
  let bytes = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength);
  for (let prefixes = 0; prefixes < maxExifPrefixes && startsWithPrefix(bytes); prefixes++) {
    bytes = bytes.subarray(exifPrefix.length);
  }
  if (bytes.length === 0) return 'none';
  const directory = TiffDirectory.read(bytes, [orientationTag]);
  if (directory === undefined) return 1;
  return directory.has(orientationTag) ? valid(directory.number(orientationTag)) : 'none';
}

function startsWithPrefix(bytes: Buffer): boolean {
  return bytes.subarray(0, exifPrefix.length).equals(exifPrefix);
}

// Bounds, so that no file keeps the calling thread busy.
const maxExifPrefixes = 16;
const maxXmpBytes = 2 ** 20;
const maxXmpTries = 64;

function xmpOrientation(xmp: Uint8Array): Orientation {
  const searched = Buffer.from(xmp.buffer, xmp.byteOffset, Math.min(xmp.byteLength, maxXmpBytes));
  const name = 'tiff:Orientation';
  let at = searched.indexOf(name);
  for (let tries = 0; at !== -1 && tries < maxXmpTries; tries++) {
    const end = at + name.length;
    const match = /^(?:="|>)([0-9])/.exec(searched.toString('latin1', end, end + 3));
    if (match !== null) return valid(Number(match[1]));
    at = searched.indexOf(name, end);
  }
  return 1;
}

function valid(value: number | undefined): Orientation {
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 8
    ? (value as Orientation)
    : 1;
}
