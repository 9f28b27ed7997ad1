import type { AnyresGeometry, Offset, Size, TileGrid, TokenRect } from './plan.ts';

/*
 * LLaVA-NeXT's arithmetic: llava/mm_utils.py and llava/model/llava_arch.py at df17966. The results depend on the order
 * of operations in doubles, so the order here is the original's.
 */

/** The grids up to the largest: 1x1, 1x2, 1x3, 2x1 and so on (columns x rows). */
export function gridsUpTo({ columns, rows }: TileGrid): TileGrid[] {
  return Array.from({ length: columns * rows }, (_, index) => ({
    columns: Math.floor(index / rows) + 1,
    rows: (index % rows) + 1,
  }));
}

/**
 * Chooses the grid of tiles of side `tilePx` that shows most of the image's own pixels. Ties go to the grid that wastes
 * least, then to the first. `grids` must not be empty.
 */
export function selectTileGrid(image: Size, tilePx: number, grids: readonly TileGrid[]): TileGrid {
  let best = grids[0]!;
  let bestShown = 0;
  let leastWaste = Infinity;
  for (const grid of grids) {
    const width = grid.columns * tilePx;
    const height = grid.rows * tilePx;
    const scale = Math.min(width / image.width, height / image.height);
    const fitted = Math.trunc(image.width * scale) * Math.trunc(image.height * scale);
    const shown = Math.min(fitted, image.width * image.height);
    const waste = width * height - shown;
    if (shown > bestShown || (shown === bestShown && waste < leastWaste)) {
      best = grid;
      bestShown = shown;
      leastWaste = waste;
    }
  }
  return best;
}

/** Fits the image into `canvas` with its aspect ratio, centred; an odd pixel of padding goes to the right or below. */
export function fitCentred(image: Size, canvas: Size): { readonly content: Size; readonly paste: Offset } {
  const across = canvas.width / image.width;
  const down = canvas.height / image.height;
  const content =
    across < down
      ? { width: canvas.width, height: Math.min(Math.ceil(image.height * across), canvas.height) }
      : { width: Math.min(Math.ceil(image.width * down), canvas.width), height: canvas.height };
  return {
    content,
    paste: {
      left: Math.floor((canvas.width - content.width) / 2),
      top: Math.floor((canvas.height - content.height) / 2),
    },
  };
}

/** The part of the tiles' map that is not padding, in tokens. */
function unpadRect(image: Size, map: Size): TokenRect {
  if (image.width / image.height > map.width / map.height) {
    const kept = Math.trunc(image.height * (map.width / image.width));
    const y = Math.floor((map.height - kept) / 2);
    return { x: 0, y, width: map.width, height: map.height - 2 * y };
  }
  const kept = Math.trunc(image.width * (map.height / image.height));
  const x = Math.floor((map.width - kept) / 2);
  return { x, y: 0, width: map.width - 2 * x, height: map.height };
}

/**
 * LLaVA's anyres_max_N: shrinks a map of more than N tiles of tokens, unless its sides are at most 1.1 times too long.
 * 0 tiles is no limit.
 */
export function limitedSize(kept: Size, maxTiles: number, tileTokens: number): Size {
  const { width, height } = kept;
  if (maxTiles === 0 || width === 0 || height === 0) return { width, height };
  const times = Math.sqrt((height * width) / (maxTiles * tileTokens));
  if (times <= 1.1) return { width, height };
  return { width: floorDivide(width, times), height: floorDivide(height, times) };
}

/** Python's `a // b` of positive doubles: the floor of the exact quotient. Math.floor(a / b) may be one more. */
function floorDivide(a: number, b: number): number {
  return Math.round((a - (a % b)) / b);
}

/** Where the anyres tokens of an image lie, with a newline row after each line if there is one. Expects valid arguments. */
export function anyresGeometry(
  image: Size,
  model: { readonly imageSize: number; readonly grid: Size },
  options: { readonly grids: readonly TileGrid[]; readonly maxTiles: number },
  newline = false,
): AnyresGeometry {
  const tileGrid = selectTileGrid(image, model.imageSize, options.grids);
  const baseTokens = model.grid.width * model.grid.height;
  const map = { width: tileGrid.columns * model.grid.width, height: tileGrid.rows * model.grid.height };
  const unpad = unpadRect(image, map);
  const spatial = limitedSize(unpad, options.maxTiles, baseTokens);
  const resized = spatial.width !== unpad.width || spatial.height !== unpad.height;
  return { tileGrid, baseTokens, unpad, spatial, newlines: newline ? spatial.height : 0, resized };
}
