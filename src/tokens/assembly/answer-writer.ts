import { ServiceError } from '../../errors/service-error.ts';
import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { dtypeBytes, type TokenDtype } from '../tensor.ts';
import type { TokenRows } from './token-rows.ts';

/** Bits of the smallest absolute float32 that rounds to infinity: 65520 in float16. */
const infiniteFrom: Record<TokenDtype, number> = {
  float16: 0x477ff000,
  float32: 0x7f800000,
  bfloat16: 0x7f7f8000,
};

/** Fills an answer, row after row: each rounded once, to `dtype`. */
export class AnswerWriter {
  readonly #dtype: TokenDtype;
  readonly #halvesAddress: number;
  readonly #answer: Uint8Array<ArrayBuffer>;
  #written = 0;

  /** For `rows`, which are written later and in that order. */
  constructor(memory: KernelLayout, rows: readonly TokenRows[], dtype: TokenDtype) {
    const longest = Math.max(...rows.map(({ width, channels }) => width * channels));
    const values = rows.reduce((sum, { width, height, channels }) => sum + width * height * channels, 0);
    this.#dtype = dtype;
    this.#halvesAddress = memory.place(dtype === 'float32' ? 0 : longest * 2);
    this.#answer = new Uint8Array(values * dtypeBytes[dtype]);
  }

  /** Throws `internal` for a value that is not finite in the answer's dtype. */
  write(kernel: TokenKernel, rows: TokenRows): void {
    const count = rows.width * rows.channels;
    for (let y = 0; y < rows.height; y++) {
      const address = rows.row(kernel, y);
      const bytes = this.#rounded(kernel, address, count);
      this.#answer.set(bytes, this.#written);
      this.#written += bytes.byteLength;
    }
  }

  /** The whole answer, in a buffer of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#answer;
  }

  /** The row as the answer has it, in the kernel's memory. */
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
    if (largestMagnitude < infiniteFrom[this.#dtype]) return;
    const advice = this.#dtype === 'float32' ? '' : ' float32 tokens may be finite: ask for dtype=float32.';
    throw new ServiceError(
      'internal',
      `The tokens assembled for this image are not finite numbers in ${this.#dtype}.${advice}`,
    );
  }
}
