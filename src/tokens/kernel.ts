import { type WasmKernel, wasmKernel } from '../threads/wasm-kernel.ts';

/**
 * Exports of kernels/tokens.ts, which says what it requires of buffers. Addresses are in bytes, counts in float32
 * values. A magnitude is the bits of an absolute float32.
 */
export interface TokenKernel extends WasmKernel {
  bilinear(
    top: number,
    bottom: number,
    target: number,
    taps: number,
    width: number,
    channels: number,
    down: number,
  ): void;
  addWeighted(source: number, target: number, count: number, weight: number): void;
  divide(target: number, count: number, divisor: number): void;
  spread(source: number, target: number, count: number, step: number): void;
  largestMagnitude(source: number, count: number): number;
  toFloat16(source: number, target: number, count: number): number;
  toBfloat16(source: number, target: number, count: number): number;
}

export const withKernel = wasmKernel<TokenKernel>(new URL('./kernels/tokens.wasm', import.meta.url));

/** Bytes past the end of a buffer that {@link TokenKernel}'s functions may read or overwrite. */
const slackBytes = 32;

/** Assigns addresses in a kernel's memory before the kernel exists, so that its memory is made large enough. */
export class KernelLayout {
  #endAddress = 0;

  /** The size of all buffers so far, with their slack. */
  get sizeBytes(): number {
    return this.#endAddress;
  }

  /** Assigns a new buffer and returns its address. */
  place(sizeBytes: number): number {
    const address = this.#endAddress;
    this.#endAddress = (address + sizeBytes + slackBytes + 15) & ~15;
    return address;
  }
}
