import type { Resample, Size } from '../recipes/plan.ts';
import { withKernel } from './kernel.ts';
import type { ResampleKernel } from './kernel.ts';
import type { Raster } from './raster.ts';
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
 * Resizes the raster as Pillow's Image.resize (12.3) does with BILINEAR, BICUBIC or LANCZOS, to the last bit: a horizontal pass,
 * rounded to uint8, then a vertical one. A pass that would not change the size is skipped. The vertical pass comes first
 * if an image over 100 times as high as wide loses height. The result has its own buffer. Synchronous, and not for the
 * main thread.
 */
export function resample(raster: Raster, size: Size, filter: Resample): Raster {
  const rowBytes = size.width * 3;
  const data = new Uint8Array(size.height * rowBytes);
  const all = { columns: { from: 0, to: size.width }, rows: { from: 0, to: size.height } };
  resamplePart(raster, size, filter, all, (rows) => {
    data.set(rows.data, rows.first * rowBytes);
  });
  return { ...size, data };
}

/**
 * As {@link resample}, but makes only a part of the picture and hands it to `take` in bands, from top to bottom. Work
 * and memory depend on the part alone, however large the whole picture would be: the kernel reads only the rows that
 * the part needs, and holds only strips of them.
 */
export function resamplePart(
  raster: Raster,
  size: Size,
  filter: Resample,
  { columns, rows: range }: Part,
  take: (rows: Rows) => void,
): void {
  if (range.to <= range.from || columns.to <= columns.from) return;
  if (raster.height > raster.width * 100 && size.height < raster.height && size.width !== raster.width) {
    // Since 12.3 Pillow shrinks such thin images vertically first, which is faster and differs in some last bits.
    const short = resample(raster, { width: raster.width, height: size.height }, filter);
    resamplePart(short, size, filter, { columns, rows: range }, take);
    return;
  }
  const across =
    raster.width === size.width ? undefined : resampleWeights(raster.width, size.width, filter, columns);
  const down =
    raster.height === size.height ? undefined : resampleWeights(raster.height, size.height, filter, range);
  const isWhole = columns.from === 0 && columns.to === raster.width;
  if (down === undefined && across === undefined && isWhole) {
    const rowBytes = raster.width * 3;
    const data = raster.data.subarray(range.from * rowBytes, range.to * rowBytes);
    take({ first: range.from, count: range.to - range.from, data });
    return;
  }
  const layout = layOut(raster.width, columns.to - columns.from, range, across, down);
  withKernel(layout.endAddress, (kernel) => {
    const passes = new Passes(kernel, layout, raster, columns, across);
    if (down === undefined) passes.across(range, take);
    else passes.acrossAndDown(range, down, take);
  });
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
    stripAddress: place(across === undefined ? 0 : stripRows * inputWidth * 3 + across.taps * 3),
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
  readonly #raster: Raster;
  readonly #columns: SampleRange;
  readonly #rowBytes: number;
  readonly #pairsAcross: number;

  constructor(
    kernel: ResampleKernel,
    layout: Layout,
    raster: Raster,
    columns: SampleRange,
    across: Weights | undefined,
  ) {
    this.#kernel = kernel;
    this.#layout = layout;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#raster = raster;
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

  /** Writes the raster's rows, resized to the output's width, to `target`. */
  #widen(from: number, to: number, target: number): void {
    const { stripAddress, stripRows, offsetsAddress, acrossAddress } = this.#layout;
    const { data, width } = this.#raster;
    const inputBytes = width * 3;
    if (this.#pairsAcross === 0) {
      this.#copy(from, to, target);
      return;
    }
    for (let row = from; row < to; row += stripRows) {
      const rows = Math.min(stripRows, to - row);
      this.#memory.set(data.subarray(row * inputBytes, (row + rows) * inputBytes), stripAddress);
      this.#kernel.horizontal(
        stripAddress,
        inputBytes,
        target + (row - from) * this.#rowBytes,
        this.#rowBytes,
        rows,
        this.#rowBytes / 3,
        offsetsAddress,
        acrossAddress,
        this.#pairsAcross,
      );
    }
  }

  /** As #widen, for an unchanged width. */
  #copy(from: number, to: number, target: number): void {
    const { data, width } = this.#raster;
    const rowBytes = this.#rowBytes;
    if (rowBytes === width * 3) {
      this.#memory.set(data.subarray(from * rowBytes, to * rowBytes), target);
      return;
    }
    for (let row = from; row < to; row++) {
      const start = (row * width + this.#columns.from) * 3;
      this.#memory.set(data.subarray(start, start + rowBytes), target + (row - from) * rowBytes);
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
