import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';

/** Joins the channels of each token over maps of one size, map after map. */
export class Concat implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #maps: readonly TokenRows[];
  readonly #rowAddress: number;

  constructor(memory: KernelLayout, maps: readonly [TokenRows, ...TokenRows[]]) {
    ({ width: this.width, height: this.height } = maps[0]);
    this.channels = maps.reduce((sum, { channels }) => sum + channels, 0);
    this.#maps = maps;
    this.#rowAddress = memory.place(tokenBytes(this.width, this.channels));
  }

  row(kernel: TokenKernel, y: number): number {
    const bytes = new Uint8Array(kernel.memory.buffer);
    const targetBytes = tokenBytes(1, this.channels);
    let first = this.#rowAddress;
    for (const map of this.#maps) {
      const source = map.row(kernel, y);
      const sourceBytes = tokenBytes(1, map.channels);
      for (let x = 0; x < this.width; x++) {
        bytes.copyWithin(first + x * targetBytes, source + x * sourceBytes, source + (x + 1) * sourceBytes);
      }
      first += sourceBytes;
    }
    return this.#rowAddress;
  }
}
