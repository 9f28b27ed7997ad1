import type { MapLayout, Plan, Size } from '../recipes/plan.ts';

/** A map of tokens that is read straight out of its views' tokens. */
export interface TokenMap extends Size {
  readonly channels: number;
  /** Where the token at (x, y) lies; valid until the next call. */
  read(x: number, y: number): TokenSlot;
}

/** A token's values: `channels` of them from `offset` on. */
export interface TokenSlot {
  values: Float32Array;
  offset: number;
}

/** A map as its layout says. Where views overlap, a token is the mean of those that cover it. */
export function tokenMap(
  layout: MapLayout,
  views: readonly Float32Array[],
  { viewGrid, channels }: Pick<Plan, 'viewGrid' | 'channels'>,
): TokenMap {
  const { columns, rows, stride } = layout;
  const size = {
    width: (columns - 1) * stride.width + viewGrid.width,
    height: (rows - 1) * stride.height + viewGrid.height,
  };
  const slot: TokenSlot = { values: new Float32Array(), offset: 0 };
  const viewAt = (column: number, row: number): Float32Array => {
    const index = layout.views[row * columns + column];
    const view = index === undefined || index === null ? undefined : views[index];
    if (view === undefined) throw new Error(`no view was encoded at ${column}, ${row} of the map`);
    return view;
  };
  const point = (column: number, row: number, x: number, y: number): TokenSlot => {
    slot.values = viewAt(column, row);
    slot.offset = ((y - row * stride.height) * viewGrid.width + (x - column * stride.width)) * channels;
    return slot;
  };
  if (stride.width === viewGrid.width && stride.height === viewGrid.height) {
    const read = (x: number, y: number) =>
      point(Math.floor(x / stride.width), Math.floor(y / stride.height), x, y);
    return { ...size, channels, read };
  }
  const merged = new Float32Array(size.width * size.height * channels);
  const sum = new Float64Array(channels);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const [fromColumn, toColumn] = covering(x, columns, stride.width, viewGrid.width);
      const [fromRow, toRow] = covering(y, rows, stride.height, viewGrid.height);
      sum.fill(0);
      for (let row = fromRow; row <= toRow; row++) {
        for (let column = fromColumn; column <= toColumn; column++) {
          const { values, offset } = point(column, row, x, y);
          for (let c = 0; c < channels; c++) sum[c]! += values[offset + c]!;
        }
      }
      const count = (toRow - fromRow + 1) * (toColumn - fromColumn + 1);
      const target = (y * size.width + x) * channels;
      for (let c = 0; c < channels; c++) merged[target + c] = sum[c]! / count;
    }
  }
  const read = (x: number, y: number): TokenSlot => {
    slot.values = merged;
    slot.offset = (y * size.width + x) * channels;
    return slot;
  };
  return { ...size, channels, read };
}

/** First and last of the views that cover a coordinate. */
function covering(at: number, count: number, stride: number, side: number): readonly [number, number] {
  return [Math.max(0, Math.ceil((at - side + 1) / stride)), Math.min(count - 1, Math.floor(at / stride))];
}
