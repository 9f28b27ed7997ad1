import { anyresGeometry, fitCentred, gridsUpTo } from './anyres-geometry.ts';
import type { AnyresGeometry, Canvas, MapLayout, Offset, Plan, Resample, Size, TileGrid } from './plan.ts';
import type { AnyresDefinition, PlanModel } from './plan-model.ts';

/** `merge` answers base tokens, then the unpadded and limited map. `tiles` answers every view's tokens untouched. */
export const anyresAssemblies = ['merge', 'tiles'] as const;

/** Where all are absent, the model's own definition applies, if it has one; otherwise {@link anyresDefaults} fill the gaps. */
export interface AnyresOptions {
  /** 1x1 to 3x3. */
  readonly maxGrid?: TileGrid;
  /** The N of LLaVA's anyres_max_N: a whole number, 0 for no limit. */
  readonly maxTiles?: number;
  readonly assembly?: (typeof anyresAssemblies)[number];
  readonly resample?: Resample;
}

/** LLaVA's anyres_max_4. */
export const anyresDefaults: Required<AnyresOptions> = {
  maxGrid: { columns: 3, rows: 3 },
  maxTiles: 4,
  assembly: 'merge',
  resample: 'bicubic',
};

/** The options with all gaps filled; undefined where the model's own definition applies. */
export function settledAnyres(
  { maxGrid, maxTiles, assembly, resample }: AnyresOptions,
  { anyres }: Pick<PlanModel, 'anyres'>,
): Required<AnyresOptions> | undefined {
  const isNamed = [maxGrid, maxTiles, assembly, resample].some((option) => option !== undefined);
  if (!isNamed && anyres !== undefined) return undefined;
  return {
    maxGrid: maxGrid ?? anyresDefaults.maxGrid,
    maxTiles: maxTiles ?? anyresDefaults.maxTiles,
    assembly: assembly ?? anyresDefaults.assembly,
    resample: resample ?? anyresDefaults.resample,
  };
}

/**
 * Plans AnyRes. The base view is the whole image squashed to the model's square. The other views are the tiles of the
 * image, fitted with black padding into the best grid, row after row. With `merge`, a tile that is all padding is no
 * view. Extreme shapes keep nothing of the map: the answer is base tokens alone, and `anyres.spatial` the map's true
 * size. With `newline`, the projector's newline row follows each line of a merged map.
 */
export function planAnyres(image: Size, model: PlanModel, options: AnyresOptions, newline = false): Plan {
  const { grids, maxTiles, resample, assembly } = definitionOf(options, model);
  const { imageSize, grid, channels } = model;
  const hasNewline = newline && assembly === 'merge';
  const geometry = anyresGeometry(image, model, { grids, maxTiles }, hasNewline);
  const { tileGrid, baseTokens, unpad, spatial, newlines } = geometry;
  const layout = layOut(geometry, grid, assembly);
  const tiles = tileCanvas(image, imageSize, geometry, layout, resample);
  const canvases = [baseCanvas(imageSize, resample), ...(tiles.views.length === 0 ? [] : [tiles])];
  const plan = {
    recipe: 'anyres',
    viewSize: imageSize,
    viewGrid: grid,
    channels,
    canvases,
    grid,
    anyres: geometry,
  } as const;
  if (assembly === 'tiles') {
    const views = 1 + tileGrid.columns * tileGrid.rows;
    return { ...plan, assembly: { kind: 'stack' }, shape: [views, baseTokens, channels] };
  }
  const tokens = baseTokens + spatial.width * spatial.height + newlines;
  return {
    ...plan,
    assembly: { kind: 'anyres', map: layout, unpad, limited: spatial, newline: hasNewline },
    shape: [tokens, channels],
  };
}

/** What defines the answer: the model's own definition, or the service's with the request's options. */
function definitionOf(
  options: AnyresOptions,
  model: PlanModel,
): AnyresDefinition & Pick<Required<AnyresOptions>, 'assembly'> {
  const settled = settledAnyres(options, model);
  if (settled === undefined) return { ...model.anyres!, assembly: 'merge' };
  const { maxGrid, maxTiles, resample, assembly } = settled;
  return { grids: gridsUpTo(maxGrid), maxTiles, resample, assembly };
}

function baseCanvas(imageSize: number, resample: Resample): Canvas {
  const square = { width: imageSize, height: imageSize };
  const origin = { left: 0, top: 0 };
  return { content: square, resample, size: square, paste: origin, views: [origin] };
}

/** Lays out the tiles' map. View 0 is the base view. */
function layOut(
  geometry: AnyresGeometry,
  grid: Size,
  assembly: (typeof anyresAssemblies)[number],
): MapLayout {
  const { columns, rows } = geometry.tileGrid;
  let next = 1;
  const views = Array.from({ length: rows * columns }, (_, tile) => {
    const column = tile % columns;
    const row = Math.floor(tile / columns);
    return assembly === 'tiles' || isKept(geometry, grid, column, row) ? next++ : null;
  });
  return { columns, rows, stride: grid, views };
}

function isKept({ unpad, spatial }: AnyresGeometry, grid: Size, column: number, row: number): boolean {
  const left = column * grid.width;
  const top = row * grid.height;
  return (
    spatial.width > 0 &&
    spatial.height > 0 &&
    left < unpad.x + unpad.width &&
    left + grid.width > unpad.x &&
    top < unpad.y + unpad.height &&
    top + grid.height > unpad.y
  );
}

function tileCanvas(
  image: Size,
  imageSize: number,
  { tileGrid: { columns, rows } }: AnyresGeometry,
  layout: MapLayout,
  resample: Resample,
): Canvas {
  const size = { width: columns * imageSize, height: rows * imageSize };
  const views = layout.views.flatMap((view, tile): Offset[] => {
    if (view === null) return [];
    return [{ left: (tile % columns) * imageSize, top: Math.floor(tile / columns) * imageSize }];
  });
  return { ...fitCentred(image, size), resample, size, views };
}
