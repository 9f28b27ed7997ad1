import type { MapLayout, Size, TokenRect } from '../../recipes/plan.ts';
import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';

/** The float32 tokens of a plan's views, with the grid and the channels of each view. */
export interface ViewTokens {
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly grid: Size;
  readonly channels: number;
}

/** The part of a map's row that comes from one view: `width` tokens from `fromToken` of the view, placed at `x`. */
interface Run {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly fromToken: number;
  readonly x: number;
  readonly width: number;
}

/** Size of a whole map in tokens. `planGrid` is the view grid of a layout that has none of its own. */
function mapSize({ columns, rows, stride, viewGrid }: MapLayout, planGrid: Size): Size {
  const grid = viewGrid ?? planGrid;
  return {
    width: (columns - 1) * stride.width + grid.width,
    height: (rows - 1) * stride.height + grid.height,
  };
}

/** Stacks views one below the other, which in memory is one after the other. */
export function stackLayout(views: readonly number[], grid: Size): MapLayout {
  return { columns: 1, rows: views.length, stride: grid, views };
}

/**
 * A rectangle of the map on which views are laid out. The map itself is never made: its rows are read from the views'
 * buffers on demand. The last two rows are kept, each at its own address.
 */
export class ViewMap implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #views: ViewTokens['views'];
  readonly #grid: Size;
  readonly #layout: MapLayout;
  readonly #rect: TokenRect;
  readonly #overlap: boolean;
  readonly #slots: readonly { readonly address: number; y: number }[];
  readonly #runAddress: number;

  constructor(
    memory: KernelLayout,
    tokens: ViewTokens,
    layout: MapLayout,
    rect: TokenRect = { x: 0, y: 0, ...mapSize(layout, tokens.grid) },
  ) {
    const { channels } = tokens;
    const grid = layout.viewGrid ?? tokens.grid;
    this.width = rect.width;
    this.height = rect.height;
    this.channels = channels;
    this.#views = tokens.views;
    this.#grid = grid;
    this.#layout = layout;
    this.#rect = rect;
    this.#overlap = layout.stride.width < grid.width || layout.stride.height < grid.height;
    const rowBytes = tokenBytes(rect.width, channels);
    this.#slots = [0, 1].map(() => ({ address: memory.place(rowBytes), y: -1 }));
    this.#runAddress = memory.place(this.#overlap ? tokenBytes(grid.width, channels) : 0);
  }

  /** As in TokenRows, but a row stays valid until the next row of the same parity is made. */
  row(kernel: TokenKernel, y: number): number {
    const slot = this.#slots[y & 1]!;
    if (slot.y !== y) {
      const bytes = new Uint8Array(kernel.memory.buffer);
      if (this.#overlap) this.#average(kernel, bytes, y, slot.address);
      else this.#copy(bytes, y, slot.address);
      slot.y = y;
    }
    return slot.address;
  }

  #copy(bytes: Uint8Array, y: number, address: number): void {
    for (const run of this.#runs(y)) {
      bytes.set(this.#bytesOf(run), address + tokenBytes(run.x, this.channels));
    }
  }

  #average(kernel: TokenKernel, bytes: Uint8Array, y: number, address: number): void {
    const { channels, width } = this;
    bytes.fill(0, address, address + tokenBytes(width, channels));
    const covers = new Uint8Array(width);
    for (const run of this.#runs(y)) {
      bytes.set(this.#bytesOf(run), this.#runAddress);
      const target = address + tokenBytes(run.x, channels);
      kernel.addWeighted(this.#runAddress, target, run.width * channels, 1);
      for (let x = run.x; x < run.x + run.width; x++) covers[x]!++;
    }
    for (let x = 0; x < width; x++) {
      if (covers[x]! > 1) kernel.divide(address + tokenBytes(x, channels), channels, covers[x]!);
    }
  }

  /** The parts of row `y` of the rectangle, view by view in the layout's order. */
  *#runs(y: number): Generator<Run> {
    const { columns, rows, stride, views } = this.#layout;
    const grid = this.#grid;
    const { x: left, width } = this.#rect;
    const mapY = this.#rect.y + y;
    const firstRow = Math.max(Math.floor((mapY - grid.height) / stride.height) + 1, 0);
    const lastRow = Math.min(Math.floor(mapY / stride.height), rows - 1);
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = 0; column < columns; column++) {
        const viewX = column * stride.width;
        const from = Math.max(viewX, left);
        const to = Math.min(viewX + grid.width, left + width);
        if (from >= to) continue;
        const index = views[row * columns + column];
        const view = index == null ? undefined : this.#views[index];
        if (view === undefined) throw new RangeError(`no tokens for row ${row}, column ${column} of the map`);
        const fromToken = (mapY - row * stride.height) * grid.width + from - viewX;
        yield { view, fromToken, x: from - left, width: to - from };
      }
    }
  }

  #bytesOf({ view, fromToken, width }: Run): Uint8Array {
    const { channels } = this;
    return view.subarray(tokenBytes(fromToken, channels), tokenBytes(fromToken + width, channels));
  }
}
