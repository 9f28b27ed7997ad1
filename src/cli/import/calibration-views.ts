import { invalidArgument } from '../../errors/invalid-argument.ts';
import { decode } from '../../image/decode.ts';
import { type Raster, usualMaxPixels } from '../../image/raster.ts';
import { syntheticPictures } from './synthetic-pictures.ts';
import { cutViews } from '../../image/cut-views.ts';
import type { Model } from '../../model/model.ts';
import { planEncode } from '../../recipes/encode.ts';
import { describeFailure } from '../exit-code.ts';
import { readInput } from '../inputs/input-files.ts';

const seed = 512;

/**
 * The views that Encode makes of image files, or of two synthetic pictures when there are none. Resizing blocks the
 * thread.
 */
export async function calibrationViews(
  files: readonly string[],
  model: Model,
): Promise<Uint8Array<ArrayBuffer>[]> {
  if (files.length === 0) return syntheticPictures(seed).flatMap((raster) => viewsOf(raster, model));
  const views: Uint8Array<ArrayBuffer>[] = [];
  for (const file of files) {
    try {
      const raster = await decode(await readInput(file), { exif: 'apply', maxPixels: usualMaxPixels });
      views.push(...viewsOf(raster, model));
    } catch (error) {
      throw invalidArgument(`${file}: ${describeFailure(error).text}`, error);
    }
  }
  return views;
}

/** What the views show, for model.json. */
export function calibrationPictures(files: readonly string[]): string {
  if (files.length === 0) return `synthetic, seed ${seed}`;
  return files.length === 1 ? '1 file' : `${files.length} files`;
}

function viewsOf(raster: Raster, model: Model): Uint8Array<ArrayBuffer>[] {
  return cutViews(raster, planEncode(raster, model).canvases, model.imageSize);
}
