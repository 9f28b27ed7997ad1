import type { Size } from '../../src/recipes/plan.ts';

/** A point, in pixels of the image unless said otherwise. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle, in pixels of the image unless said otherwise. */
export interface Rect extends Point, Size {}

/** The smallest rectangle that holds all of them. */
export function union(rects: readonly Rect[]): Rect {
  const x = Math.min(...rects.map((rect) => rect.x));
  const y = Math.min(...rects.map((rect) => rect.y));
  const right = Math.max(...rects.map((rect) => rect.x + rect.width));
  const bottom = Math.max(...rects.map((rect) => rect.y + rect.height));
  return { x, y, width: right - x, height: bottom - y };
}

export function contains({ x, y, width, height }: Rect, point: Point): boolean {
  return point.x >= x && point.y >= y && point.x < x + width && point.y < y + height;
}
