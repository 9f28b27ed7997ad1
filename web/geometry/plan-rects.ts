import type { Size } from '../../src/recipes/plan.ts';
import { fitCentred } from '../../src/recipes/anyres-geometry.ts';
import { cropCentred } from '../../src/recipes/encode.ts';
import type { Anyres, Metadata, Teacher } from '../service/metadata.ts';
import type { ServedModel } from '../service/models.ts';
import type { Rect } from './rect.ts';

/** A rectangle of a plan on the image, in pixels of the image. */
export interface PlanRect extends Rect {
  /** A view that the model encodes, or the part of the tiles whose tokens are kept. */
  readonly kind: 'view' | 'unpadded';
  /** Views of one scale, or of one canvas, have the same group. */
  readonly group: string;
}

/** Every view of a plan, and for AnyRes the unpadded part of its tiles. Tiles that are all padding are no views. */
export function planRects(metadata: Metadata, model: ServedModel, image: Size): readonly PlanRect[] {
  switch (metadata.recipe) {
    case 'encode':
      return [{ kind: 'view', group: `${model.image_size} px`, ...encodeView(model, image) }];
    case 'teacher':
      return metadata.teacher === undefined ? [] : teacherViews(metadata.teacher, model, image);
    case 'anyres':
      return anyresRects(metadata, model, image);
  }
}

/** The part of the image that Encode's view shows. */
export function encodeView({ resize, image_size: side }: ServedModel, image: Size): Rect {
  if (resize !== 'crop') return { x: 0, y: 0, ...image };
  const { content, paste } = cropCentred(image, side);
  const across = image.width / content.width;
  const down = image.height / content.height;
  return {
    x: 0 - paste.left * across,
    y: 0 - paste.top * down,
    width: side * across,
    height: side * down,
  };
}

function teacherViews({ scales, windows }: Teacher, model: ServedModel, image: Size): PlanRect[] {
  const side = model.image_size;
  const step = windows === 'half_overlap' ? 2 : 1;
  return scales.flatMap((scale) => {
    const perSide = windows === 'whole' ? 1 : (scale / side - 1) * step + 1;
    const share = windows === 'whole' ? 1 : side / scale;
    return Array.from(
      { length: perSide * perSide },
      (_, view): PlanRect => ({
        kind: 'view',
        group: `${scale} px`,
        x: ((view % perSide) / step) * share * image.width,
        y: (Math.floor(view / perSide) / step) * share * image.height,
        width: share * image.width,
        height: share * image.height,
      }),
    );
  });
}

function anyresRects({ anyres, shape, grid }: Metadata, model: ServedModel, image: Size): PlanRect[] {
  const base: PlanRect = { kind: 'view', group: 'base view', x: 0, y: 0, ...image };
  if (anyres === undefined) return [base];
  const canvas = anyresCanvas(anyres.tile_grid, model, image);
  const { columns, rows } = anyres.tile_grid;
  const isStack = shape.length === 3;
  const unpadded = unpaddedRect(canvas, anyres, grid);
  const isEmpty = anyres.spatial.width === 0 || anyres.spatial.height === 0;
  const tiles = Array.from({ length: columns * rows }, (_, tile) =>
    tileRect(canvas, columns, rows, tile),
  ).filter((tile) => isStack || (!isEmpty && overlaps(tile, unpadded)));
  const group = `${tiles.length === 1 ? 'tile' : 'tiles'} (${columns} x ${rows})`;
  const viewOf = ({ x, y, width, height }: Rect): PlanRect => ({ kind: 'view', group, x, y, width, height });
  const views = [base, ...tiles.map(viewOf)];
  return isEmpty ? views : [...views, { kind: 'unpadded', group: 'kept tokens', ...unpadded }];
}

/** The canvas of the tiles, in pixels of the image that is fitted into it. */
export function anyresCanvas(
  { columns, rows }: { readonly columns: number; readonly rows: number },
  { image_size: side }: ServedModel,
  image: Size,
): Rect {
  const size = { width: columns * side, height: rows * side };
  const { content, paste } = fitCentred(image, size);
  const across = image.width / content.width;
  const down = image.height / content.height;
  return {
    x: 0 - paste.left * across,
    y: 0 - paste.top * down,
    width: size.width * across,
    height: size.height * down,
  };
}

export function tileRect(canvas: Rect, columns: number, rows: number, tile: number): Rect {
  const width = canvas.width / columns;
  const height = canvas.height / rows;
  return {
    x: canvas.x + (tile % columns) * width,
    y: canvas.y + Math.floor(tile / columns) * height,
    width,
    height,
  };
}

/** The part of the canvas whose tokens are kept. `grid` is that of a view. */
export function unpaddedRect(canvas: Rect, { tile_grid: tiles, unpad }: Anyres, grid: Size): Rect {
  const across = canvas.width / (tiles.columns * grid.width);
  const down = canvas.height / (tiles.rows * grid.height);
  return {
    x: canvas.x + unpad.x * across,
    y: canvas.y + unpad.y * down,
    width: unpad.width * across,
    height: unpad.height * down,
  };
}

function overlaps(a: Rect, b: Rect): boolean {
  const slack = 1e-6 * (a.width + a.height);
  return (
    a.x + slack < b.x + b.width &&
    b.x + slack < a.x + a.width &&
    a.y + slack < b.y + b.height &&
    b.y + slack < a.y + a.height
  );
}
