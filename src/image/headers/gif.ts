import type { Size } from '../../recipes/plan.ts';
import { FileFault } from './file-fault.ts';

/** Where the first picture of a GIF lies on its canvas, and how its pixels are written. */
export interface GifFrame {
  /** The screen, enlarged if the picture reaches beyond it. */
  readonly canvas: Size;
  readonly left: number;
  readonly top: number;
  readonly size: Size;
  readonly isInterlaced: boolean;
  /** RGB of 256 indices. */
  readonly palette: Uint8Array;
  /** Colour index of the pixels that the picture does not cover. */
  readonly fillIndex: number;
  /** LZW's minimum code size. */
  readonly indexBits: number;
  /** Offset of the first sub-block of pixels. */
  readonly dataStart: number;
}

/**
 * Reads a GIF up to the pixels of its first picture, as Pillow does (GifImagePlugin). Throws a FileFault if there is none.
 */
export function readGifFrame(file: Buffer): GifFrame {
  requireBytes(file, 13);
  const global = readPalette(file, 13, file[10]!);
  const { at, transparentIndex } = skipToPicture(file, global.end);
  requireBytes(file, at + 10);
  const [left, top, width, height] = [1, 3, 5, 7].map((offset) => file.readUInt16LE(at + offset)) as Four;
  if (width === 0 || height === 0) throw new FileFault('its first picture has no pixels');
  const flags = file[at + 9]!;
  const local = readPalette(file, at + 10, flags);
  requireBytes(file, local.end + 1);
  return {
    canvas: {
      width: Math.max(file.readUInt16LE(6), left + width),
      height: Math.max(file.readUInt16LE(8), top + height),
    },
    left,
    top,
    size: { width, height },
    isInterlaced: (flags & 0x40) !== 0,
    // Pillow ignores a local palette that maps each index to its grey, even if the global one does not.
    palette: local.colours ?? global.colours ?? greys,
    fillIndex: transparentIndex ?? 0,
    indexBits: file[local.end]!,
    dataStart: local.end + 1,
  };
}

type Four = [number, number, number, number];

const [extension, picture, trailer] = [0x21, 0x2c, 0x3b];
const [graphicControl, comment] = [0xf9, 0xfe];
/** Bounds the work on the calling thread. */
const maxBlocks = 2 ** 15;
const greys = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));

/** Skips extensions up to the descriptor of the first picture. */
function skipToPicture(file: Buffer, start: number): { at: number; transparentIndex: number | undefined } {
  let at = start;
  let transparentIndex: number | undefined;
  for (let blocks = 0; at < file.length && blocks < maxBlocks; blocks++) {
    const kind = file[at];
    if (kind === picture) return { at, transparentIndex };
    if (kind === trailer) break;
    at += 1;
    if (kind !== extension) continue;
    requireBytes(file, at + 2);
    const label = file[at]!;
    let sizeBytes = file[at + 1]!;
    if (label === graphicControl && sizeBytes >= 4) {
      requireBytes(file, at + 6);
      if ((file[at + 2]! & 1) !== 0) transparentIndex = file[at + 5]!;
    }
    at += 2 + sizeBytes;
    // Pillow looks for another block even after an empty first one, unless it is a comment's.
    if (sizeBytes === 0 && label === comment) continue;
    for (sizeBytes = 1; sizeBytes > 0 && at < file.length && blocks < maxBlocks; blocks++) {
      sizeBytes = file[at]!;
      at += 1 + sizeBytes;
    }
  }
  throw new FileFault('it has no picture');
}

/** Has no colours if there is no palette, or if it maps each index to the grey of that level. */
function readPalette(file: Buffer, start: number, flags: number): { colours?: Uint8Array; end: number } {
  if ((flags & 0x80) === 0) return { end: start };
  const end = start + 3 * 2 ** ((flags & 7) + 1);
  requireBytes(file, end);
  const colours = file.subarray(start, end);
  if (colours.every((value, i) => value === greys[i])) return { end };
  const padded = new Uint8Array(768);
  padded.set(colours);
  return { colours: padded, end };
}

function requireBytes(file: Buffer, count: number): void {
  if (file.length < count) throw new FileFault('it is truncated');
}
