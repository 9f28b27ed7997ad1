import type { FileHeader } from './file-header.ts';
import { orientationTag } from './orientation.ts';
import { TiffDirectory } from './tiff-directory.ts';

const xmpTag = 700;

/**
 * Reads the first page's directory, which notes an orientation as an EXIF block does. The size is left to the decoder.
 */
export function readTiffHeader(file: Buffer): FileHeader {
  return { size: undefined, exif: file, xmp: TiffDirectory.read(file, [xmpTag])?.bytes(xmpTag) };
}

/**
 * The same file with a valid orientation in its first page. libtiff refuses a file for an orientation beyond 1 to 8,
 * which Pillow ignores.
 */
export function withValidOrientation(file: Buffer): Buffer {
  const directory = TiffDirectory.read(file, [orientationTag]);
  if (directory === undefined || !directory.has(orientationTag)) return file;
  const orientation = directory.number(orientationTag);
  const isValid = orientation !== undefined && orientation >= 1 && orientation <= 8;
  return isValid ? file : directory.withShort(orientationTag, 1);
}
