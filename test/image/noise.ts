import type { Raster } from '../../src/image/raster.ts';
import type { Size } from '../../src/recipes/plan.ts';

/** A raster of seeded noise; `levels` of 2 gives only 0 and 255, which overshoots most. */
export function noise({ width, height }: Size, seed = 1, levels = 256): Raster {
  const data = new Uint8Array(width * height * 3);
  let state = seed >>> 0;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = Math.round((Math.floor((state / 2 ** 32) * levels) / (levels - 1)) * 255);
  }
  return { width, height, data };
}
