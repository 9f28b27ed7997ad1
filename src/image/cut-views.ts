import type { Canvas, Offset } from '../recipes/plan.ts';
import type { Raster, RowSource } from './raster.ts';
import { resample, resamplePart } from './resample.ts';
import type { Rows } from './resample.ts';
import type { SampleRange } from './resample-weights.ts';

/**
 * Makes the views of each canvas in order. For one canvas, `pixels` may be rows that can be read only once. A view is uint8
 * RGB of `viewSize * viewSize * 3` bytes in a buffer of its own; `viewSize` is the canvas's encoder's, if it has one.
 * Pixels that no content covers are black.
 *
 * No canvas is built: resized rows go straight into the views that show them, and only those rows and columns are
 * resized. Synchronous, and not for the main thread.
 */
export function cutViews(
  pixels: Raster | RowSource,
  canvases: readonly Canvas[],
  viewSize: number,
): Uint8Array<ArrayBuffer>[] {
  if ('data' in pixels && pixels.data.byteLength !== pixels.width * pixels.height * 3) {
    throw new RangeError('the number of bytes of the raster does not match its size');
  }
  return canvases.flatMap((canvas) => cutCanvas(pixels, canvas, canvas.encoder?.viewSize ?? viewSize));
}

/** The part of the content that a view shows, and its place in the view, in pixels. */
interface Window {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly columns: SampleRange;
  readonly rows: SampleRange;
  readonly atLeft: number;
  readonly atTop: number;
}

function cutCanvas(whole: Raster | RowSource, canvas: Canvas, viewSize: number): Uint8Array<ArrayBuffer>[] {
  const { prescale } = canvas;
  const pixels = prescale === undefined ? whole : resample(whole, prescale, canvas.resample);
  const windows = canvas.views.map((offset) => windowOf(canvas, offset, viewSize));
  const shown = windows.filter(({ columns, rows }) => columns.to > columns.from && rows.to > rows.from);
  if (shown.length > 0) {
    const columns = span(shown.map((window) => window.columns));
    const rows = span(shown.map((window) => window.rows));
    resamplePart(pixels, canvas.content, canvas.resample, { columns, rows }, (made) => {
      for (const window of shown) copyRows(made, columns, window, viewSize);
    });
  }
  return windows.map(({ view }) => view);
}

function windowOf(canvas: Canvas, offset: Offset, viewSize: number): Window {
  const { content, paste, size } = canvas;
  const across = overlap(paste.left, content.width, size.width, offset.left, viewSize);
  const down = overlap(paste.top, content.height, size.height, offset.top, viewSize);
  return {
    view: new Uint8Array(viewSize * viewSize * 3),
    columns: { from: across.from - paste.left, to: across.to - paste.left },
    rows: { from: down.from - paste.top, to: down.to - paste.top },
    atLeft: across.from - offset.left,
    atTop: down.from - offset.top,
  };
}

/** Where content, canvas and view overlap along one axis, in the canvas's coordinates. */
function overlap(
  paste: number,
  content: number,
  canvas: number,
  view: number,
  viewSize: number,
): SampleRange {
  return { from: Math.max(paste, view, 0), to: Math.min(paste + content, view + viewSize, canvas) };
}

/** The smallest range that covers all. */
function span(ranges: readonly SampleRange[]): SampleRange {
  return {
    from: Math.min(...ranges.map(({ from }) => from)),
    to: Math.max(...ranges.map(({ to }) => to)),
  };
}

function copyRows(rows: Rows, columns: SampleRange, window: Window, viewSize: number): void {
  const from = Math.max(rows.first, window.rows.from);
  const to = Math.min(rows.first + rows.count, window.rows.to);
  const rowPixels = columns.to - columns.from;
  const width = window.columns.to - window.columns.from;
  const sourceBytes = rowPixels * 3;
  const targetBytes = viewSize * 3;
  const source = (y: number): number =>
    (y - rows.first) * sourceBytes + (window.columns.from - columns.from) * 3;
  const target = (y: number): number =>
    (y - window.rows.from + window.atTop) * targetBytes + window.atLeft * 3;
  if (from >= to) return;
  if (width === viewSize && rowPixels === viewSize) {
    window.view.set(rows.data.subarray(source(from), source(to)), target(from));
    return;
  }
  for (let y = from; y < to; y++) {
    const start = source(y);
    window.view.set(rows.data.subarray(start, start + width * 3), target(y));
  }
}
