import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { dtypeBytes, notFinite, type TokenDtype } from '../tensor.ts';
import type { TokenRows } from './token-rows.ts';

/** Bits of the smallest absolute float32 that rounds to infinity; for float16 that is 65520. */
const infiniteFrom: Record<TokenDtype, number> = {
  float16: 0x477ff000,
  float32: 0x7f800000,
  bfloat16: 0x7f7f8000,
};

/** Fills an answer row by row, and rounds each row once. */
export class AnswerWriter {
  readonly #dtype: TokenDtype;
  readonly #halvesAddress: number;
  /** The answer, which owns its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  #written = 0;

  /** `rows` are all rows that will be written, in order. */
  constructor(memory: KernelLayout, rows: readonly TokenRows[], dtype: TokenDtype) {
    const longest = Math.max(...rows.map(({ width, channels }) => width * channels));
    const values = rows.reduce((sum, { width, height, channels }) => sum + width * height * channels, 0);
    this.#dtype = dtype;
    this.#halvesAddress = memory.place(dtype === 'float32' ? 0 : longest * 2);
    this.bytes = new Uint8Array(values * dtypeBytes[dtype]);
  }

  /** Throws `internal` for a value that is not finite in the answer's dtype. */
  write(kernel: TokenKernel, rows: TokenRows): void {
    const count = rows.width * rows.channels;
    for (let y = 0; y < rows.height; y++) {
      const address = rows.row(kernel, y);
      const bytes = this.#rounded(kernel, address, count);
      this.bytes.set(bytes, this.#written);
      this.#written += bytes.byteLength;
    }
  }

  /** The row rounded to the answer's dtype, in the kernel's memory. */
  #rounded(kernel: TokenKernel, address: number, count: number): Uint8Array {
    const { buffer } = kernel.memory;
    if (this.#dtype === 'float32') {
      this.#requireFinite(kernel.largestMagnitude(address, count));
      return new Uint8Array(buffer, address, count * 4);
    }
    const target = this.#halvesAddress;
    this.#requireFinite(
      this.#dtype === 'float16'
        ? kernel.toFloat16(address, target, count)
        : kernel.toBfloat16(address, target, count),
    );
    return new Uint8Array(buffer, target, count * 2);
  }

  #requireFinite(largestMagnitude: number): void {
    if (largestMagnitude >= infiniteFrom[this.#dtype]) throw notFinite(this.#dtype);
  }
}
