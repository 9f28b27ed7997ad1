import { FileFault } from './headers/file-fault.ts';
import type { GifFrame } from './headers/gif.ts';
import type { Raster } from './raster.ts';

/**
 * Decodes the first picture of a GIF as Pillow's `convert('RGB')` gives it: a transparent pixel has the palette's
 * colour, and what the picture does not cover has that of the transparent index, else of index 0. libvips would make
 * both black. Throws a FileFault for damaged pixels. Synchronous, and not for the main thread.
 */
export function decodeGif(file: Buffer, frame: GifFrame): Raster {
  const { canvas, size, palette } = frame;
  const indices = readLzw(file, frame);
  const data = new Uint8Array(canvas.width * canvas.height * 3);
  if (size.width < canvas.width || size.height < canvas.height) {
    const fill = Buffer.from(palette.subarray(frame.fillIndex * 3, frame.fillIndex * 3 + 3));
    Buffer.from(data.buffer).fill(fill);
  }
  let from = 0;
  for (const row of rowsOf(frame)) {
    let to = ((frame.top + row) * canvas.width + frame.left) * 3;
    for (const end = from + size.width; from < end; from++) {
      const colour = indices[from]! * 3;
      data[to++] = palette[colour]!;
      data[to++] = palette[colour + 1]!;
      data[to++] = palette[colour + 2]!;
    }
  }
  return { ...canvas, data };
}

/** The picture's rows in the order in which they are written. */
function* rowsOf({ size, isInterlaced }: GifFrame): Generator<number> {
  const passes = isInterlaced ? interlacedPasses : [{ first: 0, step: 1 }];
  for (const { first, step } of passes) {
    for (let row = first; row < size.height; row += step) yield row;
  }
}

const interlacedPasses = [
  { first: 0, step: 8 },
  { first: 4, step: 8 },
  { first: 2, step: 4 },
  { first: 1, step: 2 },
];

const maxCodeBits = 12;
const tableSize = 2 ** maxCodeBits;

/** One colour index per pixel, in the file's order. Follows Pillow's GifDecode.c, also in what it tolerates. */
function readLzw(file: Buffer, { size, indexBits, dataStart }: GifFrame): Uint8Array {
  if (indexBits > maxCodeBits) throw new FileFault('its pixels are damaged');
  const indices = new Uint8Array(size.width * size.height);
  const clear = 1 << indexBits;
  // A code from clear + 2 on stands for the string of `prefixes`, then `suffixes`.
  const prefixes = new Uint16Array(tableSize);
  const suffixes = new Uint8Array(tableSize);
  const lengths = new Uint16Array(tableSize).fill(1);
  const bits = new BitReader(file, dataStart);
  let next = clear + 2;
  let codeBits = indexBits + 1;
  let last = -1;
  let lastFirst = 0;
  for (let written = 0; written < indices.length; ) {
    const code = bits.read(codeBits);
    if (code === clear) {
      next = clear + 2;
      codeBits = indexBits + 1;
      last = -1;
      continue;
    }
    if (code === clear + 1) throw new FileFault('it is truncated');
    if (code > (last === -1 ? clear : next)) throw new FileFault('its pixels are damaged');
    // The one code that may come before it is defined: the last string, then its first index again.
    const isNext = last !== -1 && code === next;
    let rest = isNext ? last : code;
    if (rest >= tableSize) throw new FileFault('its pixels are damaged');
    let at = written + (rest < clear ? 1 : lengths[rest]!) - 1;
    written = at + 1;
    if (isNext) indices[written++] = lastFirst;
    for (; rest >= clear; rest = prefixes[rest]!) indices[at--] = suffixes[rest]!;
    indices[at] = rest;
    lastFirst = rest;
    if (last !== -1 && next < tableSize) {
      prefixes[next] = last;
      suffixes[next] = rest;
      lengths[next] = (last < clear ? 1 : lengths[last]!) + 1;
      if (next === (1 << codeBits) - 1 && codeBits < maxCodeBits) codeBits += 1;
      next += 1;
    }
    last = code;
  }
  return indices;
}

/** Reads codes from sub-blocks, lowest bit first. Skips empty sub-blocks, as Pillow does. */
class BitReader {
  readonly #file: Buffer;
  #at: number;
  #blockEnd: number;
  #held = 0;
  #heldBits = 0;

  constructor(file: Buffer, start: number) {
    this.#file = file;
    this.#at = start;
    this.#blockEnd = start;
  }

  read(count: number): number {
    while (this.#heldBits < count) {
      this.#held |= this.#nextByte() << this.#heldBits;
      this.#heldBits += 8;
    }
    const code = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#heldBits -= count;
    return code;
  }

  #nextByte(): number {
    while (this.#at === this.#blockEnd) {
      if (this.#at >= this.#file.length) throw new FileFault('it is truncated');
      this.#blockEnd = this.#at + 1 + this.#file[this.#at]!;
      if (this.#blockEnd > this.#file.length) throw new FileFault('it is truncated');
      this.#at += 1;
    }
    return this.#file[this.#at++]!;
  }
}
