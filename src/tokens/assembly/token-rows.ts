import type { TokenKernel } from '../kernel.ts';

/** Rows of tokens that are made one by one in a kernel's memory. */
export interface TokenRows {
  /** Tokens per row. */
  readonly width: number;
  /** Number of rows. */
  readonly height: number;
  /** Values per token. */
  readonly channels: number;
  /** Makes row `y` and returns its address, which is valid until the next call. Call it in ascending order of `y`. */
  row(kernel: TokenKernel, y: number): number;
}

/** The size of `tokens` float32 tokens. */
export function tokenBytes(tokens: number, channels: number): number {
  return tokens * channels * 4;
}
