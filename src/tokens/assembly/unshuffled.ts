import type { ChannelOrder } from '../../recipes/plan.ts';
import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';

/**
 * Space to depth: each square of `side * side` tokens becomes one token with that many times the channels, in torch's
 * order (c, dy, dx) or InternVL v2's (dy, dx, c).
 */
export class Unshuffled implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #map: TokenRows;
  readonly #side: number;
  readonly #order: ChannelOrder;
  readonly #rowAddress: number;

  /** `side` must divide the map's width and height. */
  constructor(memory: KernelLayout, map: TokenRows, side: number, order: ChannelOrder) {
    this.width = map.width / side;
    this.height = map.height / side;
    this.channels = map.channels * side * side;
    this.#map = map;
    this.#side = side;
    this.#order = order;
    this.#rowAddress = memory.place(tokenBytes(this.width, this.channels));
  }

  row(kernel: TokenKernel, y: number): number {
    const side = this.#side;
    const { channels } = this.#map;
    // Consecutive channels lie `step` values apart, and consecutive tokens of a square `offset` values apart.
    const torch = this.#order === 'torch';
    const step = torch ? side * side : 1;
    const offset = torch ? 1 : channels;
    for (let dy = 0; dy < side; dy++) {
      const source = this.#map.row(kernel, y * side + dy);
      for (let mapX = 0; mapX < this.#map.width; mapX++) {
        const x = Math.trunc(mapX / side);
        const part = (dy * side + (mapX % side)) * offset;
        const target = this.#rowAddress + tokenBytes(x, this.channels) + part * 4;
        kernel.spread(source + tokenBytes(mapX, channels), target, channels, step);
      }
    }
    return this.#rowAddress;
  }
}
