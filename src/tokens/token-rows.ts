import type { TokenKernel } from './kernel.ts';
import type { TokenDtype } from './tensor.ts';

/** What toHalf may read and write past the end of a row, in bytes. */
const slackBytes = 64;

/**
 * The answer's tokens, written a row at a time out of the kernel's memory: the row is summed up as float32 at address 0
 * and rounded once. Given as float16, or as float32 for every other dtype.
 */
export class TokenRows {
  readonly #halves: Uint16Array<ArrayBuffer> | undefined;
  readonly #singles: Float32Array<ArrayBuffer> | undefined;
  #written = 0;
  #isFinite = true;

  constructor(values: number, dtype: TokenDtype) {
    if (dtype === 'float16') this.#halves = new Uint16Array(values);
    else this.#singles = new Float32Array(values);
  }

  /** Memory that rows of up to `rowValues` need, from address 0 on. */
  workBytes(rowValues: number): number {
    return (rowValues * 4 + slackBytes) * 2;
  }

  /** Writes the row that `sumUp` adds up, from zeros, at address 0. */
  write(kernel: TokenKernel, rowValues: number, sumUp: () => void): void {
    new Float32Array(kernel.memory.buffer, 0, rowValues).fill(0);
    sumUp();
    this.#take(kernel, rowValues);
  }

  /** Writes tokens as they are. */
  copy(kernel: TokenKernel, tokens: Float32Array): void {
    new Float32Array(kernel.memory.buffer, 0, tokens.length).set(tokens);
    this.#take(kernel, tokens.length);
  }

  /** Whether everything written so far is finite; known for float16 only, which rounding may overflow. */
  get isFinite(): boolean {
    return this.#isFinite;
  }

  /** The values, in a buffer of their own. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array((this.#halves ?? this.#singles)!.buffer);
  }

  #take(kernel: TokenKernel, rowValues: number): void {
    const { buffer } = kernel.memory;
    if (this.#halves === undefined) {
      this.#singles!.set(new Float32Array(buffer, 0, rowValues), this.#written);
    } else {
      const address = rowValues * 4 + slackBytes;
      if (kernel.toHalf(0, address, rowValues) === 0) this.#isFinite = false;
      this.#halves.set(new Uint16Array(buffer, address, rowValues), this.#written);
    }
    this.#written += rowValues;
  }
}
