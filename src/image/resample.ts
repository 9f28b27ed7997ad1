import type { Resample, Size } from '../recipes/plan.ts';
import { withKernel } from './kernel.ts';
import type { ResampleKernel } from './kernel.ts';
import type { Raster, RowSource } from './raster.ts';
import { resampleWeights, splitWeightBytes, splitWeights } from './resample-weights.ts';
import type { SampleRange, Weights } from './resample-weights.ts';

/**
 * Consecutive rows of a part of the resized picture, packed RGB. `data` is valid only during the call.
 */
export interface Rows {
  readonly first: number;
  readonly count: number;
  readonly data: Uint8Array;
}

/** A part of a resized picture. */
export interface Part {
  readonly columns: SampleRange;
  readonly rows: SampleRange;
}

const stripBytes = 128 * 1024;
const bandBytes = 256 * 1024;
/** How far the kernel may read or write past the end of a buffer. */
const slackBytes = 64;

/**
 * Resizes a picture as Pillow's Image.resize (12.3) does with BILINEAR, BICUBIC or LANCZOS, to the last bit: a horizontal pass,
 * rounded to uint8, then a vertical one. A pass that would not change the size is skipped. The vertical pass comes first
 * if an image over 100 times as high as wide loses height. The result has its own buffer. Synchronous, and not for the
 * main thread.
 */
export function resample(pixels: Raster | RowSource, size: Size, filter: Resample): Raster {
  const rowBytes = size.width * 3;
  const data = new Uint8Array(size.height * rowBytes);
  const all = { columns: { from: 0, to: size.width }, rows: { from: 0, to: size.height } };
  resamplePart(pixels, size, filter, all, (rows) => {
    data.set(rows.data, rows.first * rowBytes);
  });
  return { data, ...size };
}

/**
 * As {@link resample}, but makes only a part of the picture and hands it to `take` in bands, from top to bottom. Work
 * and memory depend on the part alone, however large the whole picture would be: the kernel reads only the rows that
 * the part needs, and holds only strips of them.
 */
export function resamplePart(
  pixels: Raster | RowSource,
  size: Size,
  filter: Resample,
  { columns, rows: range }: Part,
  take: (rows: Rows) => void,
): void {
  const { width, height } = pixels;
  if (range.to <= range.from || columns.to <= columns.from) return;
  if (height > width * 100 && size.height < height && size.width !== width) {
    // Since 12.3 Pillow shrinks such thin images vertically first, which is faster and differs in some last bits.
    const short = resample(pixels, { width, height: size.height }, filter);
    resamplePart(short, size, filter, { columns, rows: range }, take);
    return;
  }
  const across = width === size.width ? undefined : resampleWeights(width, size.width, filter, columns);
  const down = height === size.height ? undefined : resampleWeights(height, size.height, filter, range);
  const isWhole = columns.from === 0 && columns.to === width;
  if (down === undefined && across === undefined && isWhole && 'data' in pixels) {
    const rowBytes = width * 3;
    const data = pixels.data.subarray(range.from * rowBytes, range.to * rowBytes);
    take({ first: range.from, count: range.to - range.from, data });
    return;
  }
  const layout = layOut(width, columns.to - columns.from, range, across, down);
  withKernel(layout.endAddress, (kernel) => {
    const source = 'data' in pixels ? rowsOf(pixels) : pixels;
    const passes = new Passes(kernel, layout, source, columns, across);
    if (down === undefined) passes.across(range, take);
    else passes.acrossAndDown(range, down, take);
  });
}

function rowsOf({ width, height, data }: Raster): RowSource {
  const rowBytes = width * 3;
  return {
    width,
    height,
    readRows: (from, to, target) => target.set(data.subarray(from * rowBytes, to * rowBytes)),
  };
}

/** The layout of the kernel's memory, and how many rows each buffer holds. */
interface Layout {
  readonly offsetsAddress: number;
  readonly acrossAddress: number;
  readonly downAddress: number;
  readonly stripAddress: number;
  readonly stripRows: number;
  /** Rows between the horizontal pass and the vertical one. */
  readonly middleAddress: number;
  readonly middleRows: number;
  readonly bandAddress: number;
  readonly bandRows: number;
  readonly endAddress: number;
}

function layOut(
  inputWidth: number,
  outputWidth: number,
  range: SampleRange,
  across: Weights | undefined,
  down: Weights | undefined,
): Layout {
  const rowBytes = outputWidth * 3;
  // The kernel takes rows by four.
  const stripRows = Math.max(Math.floor(stripBytes / (inputWidth * 3)), 4) & ~3;
  const bandRows = Math.min(Math.max(Math.ceil(bandBytes / rowBytes), 4), range.to - range.from);
  const taps = down?.taps ?? 0;
  const middleRows = Math.max(taps + Math.min(taps, 64) + 4, Math.ceil(bandBytes / rowBytes));
  let endAddress = 0;
  const place = (sizeBytes: number): number => {
    const address = endAddress;
    endAddress = (address + sizeBytes + slackBytes + 15) & ~15;
    return address;
  };
  return {
    offsetsAddress: place(outputWidth * 4),
    acrossAddress: place(across === undefined ? 0 : splitWeightBytes(across)),
    downAddress: place(down === undefined ? 0 : splitWeightBytes(down)),
    // At the right edge a pixel has fewer taps, and the kernel reads beyond the row with weight 0.
    stripAddress: place((stripRows * inputWidth + (across?.taps ?? 0)) * 3),
    stripRows,
    middleAddress: place(down === undefined ? 0 : (middleRows + 4) * rowBytes),
    middleRows,
    bandAddress: place((bandRows + 4) * rowBytes),
    bandRows,
    endAddress,
  };
}

class Passes {
  readonly #kernel: ResampleKernel;
  readonly #layout: Layout;
  readonly #memory: Uint8Array;
  readonly #source: RowSource;
  readonly #columns: SampleRange;
  readonly #rowBytes: number;
  readonly #pairsAcross: number;

  constructor(
    kernel: ResampleKernel,
    layout: Layout,
    source: RowSource,
    columns: SampleRange,
    across: Weights | undefined,
  ) {
    this.#kernel = kernel;
    this.#layout = layout;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#source = source;
    this.#columns = columns;
    this.#rowBytes = (columns.to - columns.from) * 3;
    this.#pairsAcross = across === undefined ? 0 : (across.taps + 1) >> 1;
    if (across !== undefined) {
      this.#writeWeights(across, layout.acrossAddress);
      const offsets = new Int32Array(kernel.memory.buffer, layout.offsetsAddress, across.first.length);
      for (const [x, first] of across.first.entries()) offsets[x] = first * 3;
    }
  }

  across(range: SampleRange, take: (rows: Rows) => void): void {
    const { bandAddress, bandRows } = this.#layout;
    for (let first = range.from; first < range.to; first += bandRows) {
      const count = Math.min(bandRows, range.to - first);
      this.#widen(first, first + count, bandAddress);
      this.#give(first, count, take);
    }
  }

  acrossAndDown(range: SampleRange, down: Weights, take: (rows: Rows) => void): void {
    const { middleAddress, middleRows, bandAddress, bandRows, downAddress } = this.#layout;
    const rowBytes = this.#rowBytes;
    const memory = this.#memory;
    this.#writeWeights(down, downAddress);
    const weightStride = ((down.taps + 1) >> 1) * 8;
    const last = range.to - range.from - 1;
    const needed = down.first[last]! + down.count[last]!;
    let held: SampleRange = { from: down.first[0]!, to: down.first[0]! };
    let bandFirst = range.from;
    for (let y = range.from; y < range.to; y++) {
      const from = down.first[y - range.from]!;
      const count = down.count[y - range.from]!;
      if (from + count > held.to) {
        const kept = middleAddress + (from - held.from) * rowBytes;
        memory.copyWithin(middleAddress, kept, middleAddress + (held.to - held.from) * rowBytes);
        const to = Math.min(from + middleRows, needed);
        this.#widen(held.to, to, middleAddress + (held.to - from) * rowBytes);
        held = { from, to };
      }
      this.#kernel.vertical(
        middleAddress + (from - held.from) * rowBytes,
        rowBytes,
        bandAddress + (y - bandFirst) * rowBytes,
        rowBytes,
        downAddress + (y - range.from) * weightStride,
        (count + 1) >> 1,
      );
      const ready = y + 1 - bandFirst;
      if (ready === bandRows || y + 1 === range.to) {
        this.#give(bandFirst, ready, take);
        bandFirst = y + 1;
      }
    }
  }

  /** Writes the source's rows, resized to the output's width, to `target`. */
  #widen(from: number, to: number, target: number): void {
    const { stripAddress, stripRows, offsetsAddress, acrossAddress } = this.#layout;
    const inputBytes = this.#source.width * 3;
    const rowBytes = this.#rowBytes;
    for (let row = from; row < to; row += stripRows) {
      const rows = Math.min(stripRows, to - row);
      const strip = this.#memory.subarray(stripAddress, stripAddress + rows * inputBytes);
      this.#source.readRows(row, row + rows, strip);
      const widened = target + (row - from) * rowBytes;
      if (this.#pairsAcross === 0) {
        this.#copy(strip, widened);
        continue;
      }
      this.#kernel.horizontal(
        stripAddress,
        inputBytes,
        widened,
        rowBytes,
        rows,
        rowBytes / 3,
        offsetsAddress,
        acrossAddress,
        this.#pairsAcross,
      );
    }
  }

  /** Copies the part's columns. */
  #copy(strip: Uint8Array, target: number): void {
    const rowBytes = this.#rowBytes;
    const inputBytes = this.#source.width * 3;
    let to = target;
    for (let at = this.#columns.from * 3; at < strip.length; at += inputBytes, to += rowBytes) {
      this.#memory.set(strip.subarray(at, at + rowBytes), to);
    }
  }

  #writeWeights(weights: Weights, address: number): void {
    splitWeights(weights, new Int16Array(this.#kernel.memory.buffer, address, splitWeightBytes(weights) / 2));
  }

  #give(first: number, count: number, take: (rows: Rows) => void): void {
    const { bandAddress } = this.#layout;
    take({ first, count, data: this.#memory.subarray(bandAddress, bandAddress + count * this.#rowBytes) });
  }
}
