import type { Size } from '../../recipes/plan.ts';
import type { FileHeader } from './file-header.ts';

/**
 * Reads a WebP's chunks (RFC 9649). As libwebp does, and so Pillow, it reads EXIF and XMP only where the header of an
 * extended file announces them, and of several the first.
 */
export function readWebpHeader(file: Buffer): FileHeader {
  if (file.length < 30) return { size: undefined };
  switch (file.readUInt32BE(12)) {
    case types.extended:
      return readExtended(file);
    case types.lossy:
      return { size: lossySize(file) };
    case types.lossless:
      return { size: losslessSize(file) };
    default:
      return { size: undefined };
  }
}

/** Bounds the work on the calling thread. */
const maxChunks = 16_384;

/** Chunks' types as they lie in the file: "VP8X", "VP8 ", "VP8L", "EXIF" and "XMP ". */
const types = {
  extended: 0x56503858,
  lossy: 0x56503820,
  lossless: 0x5650384c,
  exif: 0x45584946,
  xmp: 0x584d5020,
} as const;

/** Flags of the extended header. */
const [hasExif, hasXmp] = [0x08, 0x04];

function readExtended(file: Buffer): FileHeader {
  const flags = file[20]!;
  let [exif, xmp]: (Buffer | undefined)[] = [];
  const fileEnd = Math.min(8 + file.readUInt32LE(4), file.length);
  let at = 12;
  for (let i = 0; i < maxChunks && at + 8 <= fileEnd; i++) {
    const type = file.readUInt32BE(at);
    const sizeBytes = file.readUInt32LE(at + 4);
    if (type === types.exif) exif ??= file.subarray(at + 8, at + 8 + sizeBytes);
    if (type === types.xmp) xmp ??= file.subarray(at + 8, at + 8 + sizeBytes);
    at += 8 + sizeBytes + (sizeBytes & 1);
  }
  return {
    size: { width: file.readUIntLE(24, 3) + 1, height: file.readUIntLE(27, 3) + 1 },
    exif: flags & hasExif ? exif : undefined,
    xmp: flags & hasXmp ? xmp : undefined,
  };
}

/** RFC 6386, 9.1. */
function lossySize(file: Buffer): Size | undefined {
  if (file.readUInt16BE(23) !== 0x9d01 || file[25] !== 0x2a) return undefined;
  return positive({ width: file.readUInt16LE(26) & 0x3fff, height: file.readUInt16LE(28) & 0x3fff });
}

/** RFC 9649, 3.4. */
function losslessSize(file: Buffer): Size | undefined {
  if (file[20] !== 0x2f) return undefined;
  const bits = file.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

function positive(size: Size): Size | undefined {
  return size.width > 0 && size.height > 0 ? size : undefined;
}
