import type { Size } from '../../recipes/plan.ts';
import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { type AxisTaps, bilinearAxis } from './bilinear-axis.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';
import type { ViewMap } from './view-map.ts';

const tapBytes = 16;

/** The map at another size, interpolated as torch does it; the map itself if it already has that size. */
export function fitted(memory: KernelLayout, map: ViewMap, size: Size): TokenRows {
  const same = map.width === size.width && map.height === size.height;
  return same ? map : new FittedMap(memory, map, size);
}

class FittedMap implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #map: ViewMap;
  readonly #across: AxisTaps;
  readonly #down: AxisTaps;
  readonly #tapsAddress: number;
  readonly #rowAddress: number;
  #tapsWritten = false;

  constructor(memory: KernelLayout, map: ViewMap, { width, height }: Size) {
    this.width = width;
    this.height = height;
    this.channels = map.channels;
    this.#map = map;
    this.#across = bilinearAxis(map.width, width);
    this.#down = bilinearAxis(map.height, height);
    this.#tapsAddress = memory.place(width * tapBytes);
    this.#rowAddress = memory.place(tokenBytes(width, map.channels));
  }

  row(kernel: TokenKernel, y: number): number {
    this.#writeTaps(kernel);
    const { low, high, share } = this.#down;
    // Consecutive rows differ in parity, so the map still holds the first.
    const top = this.#map.row(kernel, low[y]!);
    const bottom = this.#map.row(kernel, high[y]!);
    const { width, channels } = this;
    kernel.bilinear(top, bottom, this.#rowAddress, this.#tapsAddress, width, channels, share[y]!);
    return this.#rowAddress;
  }

  #writeTaps({ memory }: TokenKernel): void {
    if (this.#tapsWritten) return;
    const { low, high, share } = this.#across;
    const taps = new DataView(memory.buffer, this.#tapsAddress, this.width * tapBytes);
    for (let x = 0; x < this.width; x++) {
      taps.setUint32(x * tapBytes, tokenBytes(low[x]!, this.channels), true);
      taps.setUint32(x * tapBytes + 4, tokenBytes(high[x]!, this.channels), true);
      taps.setFloat32(x * tapBytes + 8, share[x]!, true);
    }
    this.#tapsWritten = true;
  }
}
