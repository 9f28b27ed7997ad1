import type { TokenKernel } from '../kernel.ts';

/** Rows of tokens that can be made one by one in a kernel's memory. */
export interface TokenRows {
  /** Tokens of a row, and rows. */
  readonly width: number;
  readonly height: number;
  /** Values of a token. */
  readonly channels: number;
  /**
   * Makes row `y` and gives its address; it stays there until the next call. Rows are asked for in ascending order.
   */
  row(kernel: TokenKernel, y: number): number;
}

/** Bytes of `tokens` tokens, as float32. */
export function tokenBytes(tokens: number, channels: number): number {
  return tokens * channels * 4;
}
