import { readFile } from 'node:fs/promises';
import { decode } from '../../../src/image/decode.ts';
import { cutViews } from '../../../src/image/cut-views.ts';
import type { Model } from '../../../src/model/model.ts';
import { planEncode } from '../../../src/recipes/encode.ts';
import { fixture } from './fixtures.ts';

/** A fixture image as the model's Encode sees it, squashed or cropped. */
export async function encodeView(
  image: string,
  model: Model,
  exif: 'apply' | 'ignore' = 'apply',
): Promise<Uint8Array> {
  const bytes = await readFile(fixture(`images/${image}`));
  const raster = await decode(bytes, { exif, maxPixels: 1e8 });
  const { canvases, viewSize } = planEncode(raster, model);
  return cutViews(raster, canvases, viewSize)[0]!;
}
