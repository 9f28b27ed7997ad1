import type { Size } from '../recipes/plan.ts';
import { type Orientation, turnedSize } from './headers/orientation.ts';
import type { Raster } from './raster.ts';

/** Collects the rows of a picture as they are stored in a file, and turns them upright. */
export class TurnedRaster {
  readonly raster: Raster;
  readonly #width: number;
  readonly #isAsStored: boolean;
  /** In the raster, in bytes: the stored picture's first pixel, and the steps along its rows and columns. */
  readonly #origin: number;
  readonly #across: number;
  readonly #down: number;

  /** `size` is that of the stored picture. */
  constructor(size: Size, orientation: Orientation) {
    const { width, height } = turnedSize(size, orientation);
    this.raster = { width, height, data: new Uint8Array(width * height * 3) };
    this.#width = size.width;
    this.#isAsStored = orientation === 1;
    const { swaps, right, bottom } = corners[orientation];
    const x = right ? -3 : 3;
    const y = (bottom ? -3 : 3) * width;
    this.#across = swaps ? y : x;
    this.#down = swaps ? x : y;
    this.#origin = (right ? width - 1 : 0) * 3 + (bottom ? height - 1 : 0) * width * 3;
  }

  /** Takes whole rows, packed RGB, of which `first` is the number of the first one. */
  place(rows: Uint8Array, first: number): void {
    const { data } = this.raster;
    const width = this.#width;
    if (this.#isAsStored) {
      data.set(rows, first * width * 3);
      return;
    }
    const count = rows.length / 3 / width;
    // The inner loop goes along the raster's rows.
    const isSideways = Math.abs(this.#down) === 3;
    const [outer, inner] = isSideways ? [width, count] : [count, width];
    const [outerStep, innerStep] = isSideways ? [this.#across, this.#down] : [this.#down, this.#across];
    const [outerFrom, innerFrom] = isSideways ? [3, width * 3] : [width * 3, 3];
    const start = this.#origin + first * this.#down;
    for (let i = 0; i < outer; i++) {
      let to = start + i * outerStep;
      let from = i * outerFrom;
      for (let j = 0; j < inner; j++) {
        data[to] = rows[from]!;
        data[to + 1] = rows[from + 1]!;
        data[to + 2] = rows[from + 2]!;
        to += innerStep;
        from += innerFrom;
      }
    }
  }
}

/** Where an orientation puts the stored picture's upper left corner, and whether rows become columns (EXIF 2.3, 4.6.4). */
const corners = {
  1: { swaps: false, right: false, bottom: false },
  2: { swaps: false, right: true, bottom: false },
  3: { swaps: false, right: true, bottom: true },
  4: { swaps: false, right: false, bottom: true },
  5: { swaps: true, right: false, bottom: false },
  6: { swaps: true, right: true, bottom: false },
  7: { swaps: true, right: true, bottom: true },
  8: { swaps: true, right: false, bottom: true },
} as const satisfies Record<Orientation, { swaps: boolean; right: boolean; bottom: boolean }>;
