import type { Size } from '../../recipes/plan.ts';

/** What decoding an ordinary JPEG takes besides its scan. */
export interface SequentialJpeg {
  readonly size: Size;
  /** One, of grey, or three: Y, Cb and Cr. */
  readonly components: readonly JpegComponent[];
  /** How many times as many samples as the others the first component has across and down. */
  readonly across: 1 | 2;
  readonly down: 1 | 2;
  /** In MCUs; 0 for none. */
  readonly restartInterval: number;
  /** Where the bits of the scan begin. */
  readonly scanAt: number;
}

export interface JpegComponent {
  /** 64 factors of coefficients, in zigzag order. */
  readonly factors: Buffer;
  readonly dc: HuffmanTable;
  readonly ac: HuffmanTable;
}

/** 16 counts of codes by length, and the symbols of the codes. */
export interface HuffmanTable {
  /** 0 to 3. */
  readonly id: number;
  readonly spec: Buffer;
}

/**
 * Reads the segments of a JPEG up to its scan (ITU T.81, B.2) if it is of the kind that cameras and libraries write by
 * default: 8 bits, sequential, Huffman coded, grey or YCbCr, in one scan. Undefined for all others, and wherever anything is
 * unusual.
 */
export function readSequentialJpeg(file: Buffer): SequentialJpeg | undefined {
  if (file.length < 4 || file.readUInt16BE(0) !== startOfImage) return undefined;
  const read = new Segments();
  for (let at = 2; at + 4 <= file.length; ) {
    const marker = file[at + 1]!;
    const end = at + 2 + file.readUInt16BE(at + 2);
    if (file[at] !== 0xff || end < at + 4 || end > file.length) return undefined;
    const content = file.subarray(at + 4, end);
    if (marker === startOfScan) return read.scan(content, end);
    if (!read.segment(marker, content)) return undefined;
    at = end;
  }
  return undefined;
}

const startOfImage = 0xffd8;
const startOfScan = 0xda;
/** libjpeg's. */
const longestSide = 65_500;

interface Frame {
  readonly size: Size;
  readonly components: readonly FrameComponent[];
}

interface FrameComponent {
  readonly id: number;
  readonly across: number;
  readonly down: number;
  readonly factors: number;
}

class Segments {
  readonly #factors = new Map<number, Buffer>();
  readonly #huffman = new Map<number, Buffer>();
  #restartInterval = 0;
  #frame: Frame | undefined;
  #isJfif = false;
  #adobeTransform: number | undefined;

  /** Takes a segment before the scan. False for an unusual one. */
  segment(marker: number, content: Buffer): boolean {
    switch (marker) {
      case 0xc0:
      case 0xc1:
        return this.#setFrame(content);
      case 0xc4:
        return this.#setHuffman(content);
      case 0xdb:
        return this.#setFactors(content);
      case 0xdd:
        if (content.length !== 2) return false;
        this.#restartInterval = content.readUInt16BE(0);
        return true;
      default:
        this.#noteColours(marker, content);
        return (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;
    }
  }

  /** Takes the header of the scan, which begins at `scanAt`. */
  scan(content: Buffer, scanAt: number): SequentialJpeg | undefined {
    const frame = this.#frame;
    const sampling = frame === undefined ? undefined : samplingOf(frame);
    if (frame === undefined || sampling === undefined || !this.#isYcc(frame)) return undefined;
    const count = frame.components.length;
    if (content.length !== 4 + 2 * count || content[0] !== count) return undefined;
    // All 64 coefficients, at once and in full.
    if (content.readUIntBE(1 + 2 * count, 3) !== 0x003f00) return undefined;
    const components: JpegComponent[] = [];
    for (const [index, { id, factors: factorsId }] of frame.components.entries()) {
      const [scanned, tables] = [content[1 + 2 * index]!, content[2 + 2 * index]!];
      const factors = this.#factors.get(factorsId);
      const dc = this.#huffman.get(tables >> 4);
      const ac = this.#huffman.get(0x10 | (tables & 15));
      if (scanned !== id || factors === undefined || dc === undefined || ac === undefined) return undefined;
      components.push({ factors, dc: { id: tables >> 4, spec: dc }, ac: { id: tables & 15, spec: ac } });
    }
    return { size: frame.size, components, ...sampling, restartInterval: this.#restartInterval, scanAt };
  }

  #setFrame(content: Buffer): boolean {
    const count = content[5];
    if (this.#frame !== undefined || (count !== 1 && count !== 3)) return false;
    if (content.length !== 6 + 3 * count || content[0] !== 8) return false;
    const [height, width] = [content.readUInt16BE(1), content.readUInt16BE(3)];
    const components = Array.from({ length: count }, (_, index): FrameComponent => {
      const at = 6 + 3 * index;
      const sampling = content[at + 1]!;
      return {
        id: content[at]!,
        across: sampling >> 4,
        down: sampling & 15,
        factors: content[at + 2]!,
      };
    });
    this.#frame = { size: { width, height }, components };
    const hasSize = width > 0 && height > 0 && width <= longestSide && height <= longestSide;
    return hasSize && new Set(components.map(({ id }) => id)).size === count;
  }

  #setHuffman(content: Buffer): boolean {
    let at = 0;
    while (at + 17 <= content.length) {
      const id = content[at]!;
      const symbols = content.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
      const end = at + 17 + symbols;
      if ((id & 0xef) > 3 || symbols > 256 || end > content.length) return false;
      this.#huffman.set(id, content.subarray(at + 1, end));
      at = end;
    }
    return at === content.length;
  }

  #setFactors(content: Buffer): boolean {
    let at = 0;
    // The upper half of the first byte is 0 for factors of 8 bits.
    for (; at + 65 <= content.length && content[at]! <= 3; at += 65) {
      this.#factors.set(content[at]!, content.subarray(at + 1, at + 65));
    }
    return at === content.length;
  }

  #noteColours(marker: number, content: Buffer): void {
    if (marker === 0xe0 && content.length >= 14 && content.toString('latin1', 0, 5) === 'JFIF\0') {
      this.#isJfif = true;
    }
    if (marker === 0xee && content.length >= 12 && content.toString('latin1', 0, 5) === 'Adobe') {
      this.#adobeTransform = content[11]!;
    }
  }

  /** Whether libjpeg takes three colours for YCbCr (jdapimin.c). */
  #isYcc({ components }: Frame): boolean {
    if (components.length === 1 || this.#isJfif) return true;
    if (this.#adobeTransform !== undefined) return this.#adobeTransform === 1;
    return String.fromCodePoint(...components.map(({ id }) => id)) !== 'RGB';
  }
}

function samplingOf({ size, components }: Frame): Pick<SequentialJpeg, 'across' | 'down'> | undefined {
  const [first, ...others] = components;
  const { across, down } = first!;
  if (others.length === 0) {
    // A single component is not sampled, whatever it says.
    const isSound = across >= 1 && across <= 4 && down >= 1 && down <= 4;
    return isSound ? { across: 1, down: 1 } : undefined;
  }
  if ((across !== 1 && across !== 2) || (down !== 1 && down !== 2)) return undefined;
  // libjpeg interpolates chroma of 3 columns or more.
  if (across === 2 && size.width < 5) return undefined;
  return others.every((other) => other.across === 1 && other.down === 1) ? { across, down } : undefined;
}
