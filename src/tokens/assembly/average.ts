import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';

/** The weighted sum of maps of one size, in float32 and in the order of the maps. */
export class Average implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #maps: readonly TokenRows[];
  readonly #weights: readonly number[];
  readonly #rowAddress: number;

  constructor(memory: KernelLayout, maps: readonly [TokenRows, ...TokenRows[]], weights: readonly number[]) {
    ({ width: this.width, height: this.height, channels: this.channels } = maps[0]);
    this.#maps = maps;
    this.#weights = weights;
    this.#rowAddress = memory.place(tokenBytes(this.width, this.channels));
  }

  row(kernel: TokenKernel, y: number): number {
    const count = this.width * this.channels;
    new Float32Array(kernel.memory.buffer, this.#rowAddress, count).fill(0);
    for (const [index, map] of this.#maps.entries()) {
      kernel.addWeighted(map.row(kernel, y), this.#rowAddress, count, this.#weights[index]!);
    }
    return this.#rowAddress;
  }
}
