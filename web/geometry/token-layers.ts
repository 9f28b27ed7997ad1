import type { Size } from '../../src/recipes/plan.ts';
import type { Metadata } from '../service/metadata.ts';
import type { ServedModel } from '../service/models.ts';
import { anyresCanvas, encodeView, tileRect, unpaddedRect } from './plan-rects.ts';
import { contains, type Point, type Rect } from './rect.ts';

/** A grid of tokens that lies on a rectangle of the image. */
export interface TokenMap {
  /** Index of the first token in the answer. */
  readonly first: number;
  readonly grid: Size;
  /** From a token to the one below it. */
  readonly stride: number;
  /** In pixels of the image. */
  readonly rect: Rect;
}

/** Maps that cover the image together: the base view's tokens, or those of its tiles. */
export interface TokenLayer {
  readonly name: string;
  readonly maps: readonly TokenMap[];
}

/**
 * Where an answer's tokens lie on the image: one layer, or for AnyRes the base view and the tiles. A pooled vector lies nowhere.
 */
export function tokenLayers(metadata: Metadata, model: ServedModel, image: Size): readonly TokenLayer[] {
  const { grid, anyres, shape } = metadata;
  const whole = { x: 0, y: 0, ...image };
  if (metadata.output === 'pooled') return [];
  if (anyres === undefined) {
    const view = metadata.recipe === 'encode' ? encodeView(model, image) : whole;
    return [{ name: 'view', maps: [mapOf(metadata.class_token ? 1 : 0, grid, seen(view, model))] }];
  }
  const base: TokenLayer = { name: 'base view', maps: [mapOf(0, grid, whole)] };
  const { tile_grid: tiles, base_tokens: baseTokens, spatial, newlines } = anyres;
  const canvas = anyresCanvas(tiles, model, image);
  if (shape.length === 3) {
    const maps = Array.from({ length: tiles.columns * tiles.rows }, (_, tile) =>
      mapOf(baseTokens * (1 + tile), grid, tileRect(canvas, tiles.columns, tiles.rows, tile)),
    );
    return [base, { name: 'tiles', maps }];
  }
  if (spatial.width === 0 || spatial.height === 0) return [base];
  const map = mapOf(baseTokens, spatial, unpaddedRect(canvas, anyres, grid), newlines > 0 ? 1 : 0);
  return [base, { name: 'tiles', maps: [map] }];
}

/** `more` values follow each row of the grid. */
function mapOf(first: number, grid: Size, rect: Rect, more = 0): TokenMap {
  return { first, grid, stride: grid.width + more, rect };
}

/** The part of a view that tokens are made of: patches need not fill it. */
function seen(view: Rect, { grid, patch_size: patch, image_size: side }: ServedModel): Rect {
  return {
    ...view,
    width: (view.width * grid.width * patch) / side,
    height: (view.height * grid.height * patch) / side,
  };
}

/** A token of a layer. */
export interface PlacedToken {
  /** Its index in the answer. */
  readonly index: number;
  readonly column: number;
  readonly row: number;
  readonly map: TokenMap;
}

/** The token at a point of the image; undefined where the layer has none. */
export function tokenAt({ maps }: TokenLayer, point: Point): PlacedToken | undefined {
  const map = maps.find(({ rect }) => contains(rect, point));
  if (map === undefined) return undefined;
  const { grid, rect, first, stride } = map;
  const column = Math.min(grid.width - 1, Math.floor(((point.x - rect.x) / rect.width) * grid.width));
  const row = Math.min(grid.height - 1, Math.floor(((point.y - rect.y) / rect.height) * grid.height));
  return { index: first + row * stride + column, column, row, map };
}

/** The middle of a token on the image, in pixels. */
export function middleOf({ column, row, map: { rect, grid } }: PlacedToken): Point {
  return {
    x: rect.x + ((column + 0.5) * rect.width) / grid.width,
    y: rect.y + ((row + 0.5) * rect.height) / grid.height,
  };
}

/** The rectangle of a token on the image, in pixels. */
export function rectOf({ column, row, map: { rect, grid } }: PlacedToken): Rect {
  const width = rect.width / grid.width;
  const height = rect.height / grid.height;
  return { x: rect.x + column * width, y: rect.y + row * height, width, height };
}

/** The middle of the neighbour in a direction, on the same layer; the point itself at its edge. */
export function neighbour(layer: TokenLayer, from: Point, across: number, down: number): Point {
  const token = tokenAt(layer, from);
  if (token === undefined) return from;
  const { width, height } = rectOf(token);
  const middle = middleOf(token);
  const next = { x: middle.x + across * width, y: middle.y + down * height };
  const found = tokenAt(layer, next);
  return found === undefined ? middle : middleOf(found);
}
