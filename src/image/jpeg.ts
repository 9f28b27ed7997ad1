import { wasmKernel } from '../threads/wasm-kernel.ts';
import type { WasmKernel } from '../threads/wasm-kernel.ts';
import type { Orientation } from './headers/orientation.ts';
import type { SequentialJpeg } from './headers/sequential-jpeg.ts';
import type { Raster } from './raster.ts';
import { TurnedRaster } from './turned-raster.ts';

/** Exports of kernels/jpeg.ts, which describes them. */
interface JpegKernel extends WasmKernel {
  start(
    width: number,
    height: number,
    components: number,
    across: number,
    down: number,
    restartInterval: number,
  ): number;
  piece(): number;
  pieceBytes(): number;
  setFactors(component: number, source: number, order: number): void;
  buildHuffmanTable(slot: number, source: number): number;
  chooseTables(component: number, dc: number, ac: number): void;
  setInput(sizeBytes: number): void;
  inputRead(): number;
  advance(): number;
  stripAddress(): number;
  stripFirst(): number;
  stripRows(): number;
}

const withKernel = wasmKernel<JpegKernel>(new URL('./kernels/jpeg.wasm', import.meta.url));

/**
 * Decodes an ordinary JPEG to the pixels that libjpeg-turbo gives, and turns it upright. Undefined if anything in the file
 * is irregular; then libvips decides what becomes of it. Synchronous, and not for the main thread.
 */
export function decodeJpeg(file: Buffer, jpeg: SequentialJpeg, orientation: Orientation): Raster | undefined {
  return withKernel(0, (kernel) => {
    const { size, components, across, down, restartInterval } = jpeg;
    const { width, height } = size;
    if (kernel.start(width, height, components.length, across, down, restartInterval) === 0) return undefined;
    const memory = new Uint8Array(kernel.memory.buffer);
    return setTables(kernel, memory, jpeg) ? decodeScan(kernel, memory, file, jpeg, orientation) : undefined;
  });
}

function setTables(kernel: JpegKernel, memory: Uint8Array, { components }: SequentialJpeg): boolean {
  const source = kernel.piece();
  const built = new Set<number>();
  for (const [index, { factors, dc, ac }] of components.entries()) {
    memory.set(factors, source);
    memory.set(zigzag, source + factors.length);
    kernel.setFactors(index, source, source + factors.length);
    for (const [slot, { spec }] of [
      [dc.id, dc],
      [4 + ac.id, ac],
    ] as const) {
      if (built.has(slot)) continue;
      memory.set(spec, source);
      if (kernel.buildHuffmanTable(slot, source) === 0) return false;
      built.add(slot);
    }
    kernel.chooseTables(index, dc.id, ac.id);
  }
  return true;
}

function decodeScan(
  kernel: JpegKernel,
  memory: Uint8Array,
  file: Buffer,
  { size, scanAt }: SequentialJpeg,
  orientation: Orientation,
): Raster | undefined {
  const { width } = size;
  const turned = new TurnedRaster(size, orientation);
  const strip = kernel.stripAddress();
  let from = scanAt;
  let to = scanAt;
  for (;;) {
    const state = kernel.advance();
    if (state === 0) {
      if (to === file.length) return undefined;
      from += kernel.inputRead();
      to = Math.min(from + kernel.pieceBytes(), file.length);
      memory.set(file.subarray(from, to), kernel.piece());
      kernel.setInput(to - from);
      continue;
    }
    if (state < 0) return undefined;
    const bytes = kernel.stripRows() * width * 3;
    turned.place(memory.subarray(strip, strip + bytes), kernel.stripFirst());
    if (state === 2) return turned.raster;
  }
}

/** The coefficients in the order of a scan (ITU T.81, figure A.6). */
const zigzag = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6],
  ...[7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31],
  ...[39, 46, 53, 60, 61, 54, 47, 55, 62, 63],
);
