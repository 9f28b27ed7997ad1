import assert from 'node:assert/strict';
import type { MapLayout, Plan, Size } from '../../src/recipes/plan.ts';

/** How many views cover each token of a map, and the map's size. Fails where a view reaches out of the map. */
export function coverOf(layout: MapLayout, viewGrid: Size) {
  const width = (layout.columns - 1) * layout.stride.width + viewGrid.width;
  const height = (layout.rows - 1) * layout.stride.height + viewGrid.height;
  const counts = new Uint8Array(width * height);
  assert.equal(layout.views.length, layout.columns * layout.rows);
  layout.views.forEach((view, index) => {
    if (view === null) return;
    const left = (index % layout.columns) * layout.stride.width;
    const top = Math.floor(index / layout.columns) * layout.stride.height;
    for (let y = top; y < top + viewGrid.height; y++) {
      for (let x = left; x < left + viewGrid.width; x++) counts[y * width + x]!++;
    }
  });
  return { width, height, counts };
}

/** Offsets of all views of a plan, in the order that layouts number them. */
export const viewOffsets = (plan: Plan) => plan.canvases.flatMap(({ views }) => views);
