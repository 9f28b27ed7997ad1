import type { MapLayout, Plan, Size } from '../recipes/plan.ts';

/** A map of tokens that lies in pieces, in its views' tokens. */
export interface TokenMap extends Size {
  /** Copies `count` tokens of row `y`, from column `x` on, into `target`. */
  copyRow(x: number, y: number, count: number, target: Float32Array): void;
}

/** A map as its layout says. Where views overlap, a token is the mean of those that cover it. */
export function tokenMap(
  layout: MapLayout,
  views: readonly Float32Array[],
  { viewGrid, channels }: Pick<Plan, 'viewGrid' | 'channels'>,
): TokenMap {
  const { columns, rows, stride } = layout;
  const viewAt = (column: number, row: number): Float32Array => {
    const index = layout.views[row * columns + column];
    const view = index === undefined || index === null ? undefined : views[index];
    if (view === undefined) throw new Error(`no view was encoded at ${column}, ${row} of the map`);
    return view;
  };
  return {
    width: (columns - 1) * stride.width + viewGrid.width,
    height: (rows - 1) * stride.height + viewGrid.height,
    copyRow(x, y, count, target) {
      if (stride.width === viewGrid.width && stride.height === viewGrid.height) {
        const row = Math.floor(y / stride.height);
        for (let from = x; from < x + count; ) {
          const column = Math.floor(from / stride.width);
          const to = Math.min(x + count, (column + 1) * stride.width);
          const first = (y - row * stride.height) * viewGrid.width + (from - column * stride.width);
          const tokens = viewAt(column, row).subarray(first * channels, (first + to - from) * channels);
          target.set(tokens, (from - x) * channels);
          from = to;
        }
        return;
      }
      const [fromRow, toRow] = covering(y, rows, stride.height, viewGrid.height);
      for (let token = 0; token < count; token++) {
        const at = x + token;
        const [fromColumn, toColumn] = covering(at, columns, stride.width, viewGrid.width);
        const mean = target.subarray(token * channels, (token + 1) * channels).fill(0);
        const share = 1 / ((toRow - fromRow + 1) * (toColumn - fromColumn + 1));
        for (let row = fromRow; row <= toRow; row++) {
          for (let column = fromColumn; column <= toColumn; column++) {
            const values = viewAt(column, row);
            const offset =
              ((y - row * stride.height) * viewGrid.width + at - column * stride.width) * channels;
            for (let c = 0; c < channels; c++) mean[c]! += values[offset + c]! * share;
          }
        }
      }
    },
  };
}

/** First and last of the views that cover a coordinate. */
function covering(at: number, count: number, stride: number, side: number): readonly [number, number] {
  return [Math.max(0, Math.ceil((at - side + 1) / stride)), Math.min(count - 1, Math.floor(at / stride))];
}
