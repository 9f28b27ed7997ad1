// A thread of the view pool.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { Canvas } from '../recipes/plan.ts';
import type { Raster } from './raster.ts';
import { cutViews } from './views.ts';

/** What the pool sends; it comes back as the views, an array of Uint8Array. */
export interface CutTask {
  readonly raster: Raster;
  readonly canvases: readonly Canvas[];
  readonly viewSize: number;
}

export default function cut({ raster, canvases, viewSize }: CutTask): unknown {
  const views = cutViews(raster, canvases, viewSize);
  return move({ [transferableSymbol]: views.map(({ buffer }) => buffer), [valueSymbol]: views });
}
