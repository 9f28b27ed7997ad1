import type { Size } from '../../src/recipes/plan.ts';

/** The image that all panels encode. */
export interface Picture {
  readonly name: string;
  /** The file as the service gets it. */
  readonly file: Blob;
  /** What is drawn; undefined for a file that the browser cannot decode or make smaller. */
  readonly bitmap: ImageBitmap | undefined;
  /** In pixels, upright; undefined until an answer tells it where the browser cannot. */
  readonly size: Size | undefined;
}

/** Longest side of what is drawn: more than a panel has pixels. */
const longestDrawn = 2048;

/** Reads a file that the user has chosen. The service judges whether it is an image, so this never fails. */
export async function openPicture(name: string, file: Blob): Promise<Picture> {
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  if (bitmap === undefined) return { name, file, bitmap: undefined, size: undefined };
  const size = { width: bitmap.width, height: bitmap.height };
  const zoom = longestDrawn / Math.max(size.width, size.height);
  if (zoom >= 1) return { name, file, bitmap, size };
  try {
    const smaller = await createImageBitmap(bitmap, {
      resizeWidth: Math.max(1, Math.round(size.width * zoom)),
      resizeHeight: Math.max(1, Math.round(size.height * zoom)),
      resizeQuality: 'high',
    });
    return { name, file, bitmap: smaller, size };
  } catch {
    // The browser lacks the memory; the tokens need no bitmap.
    return { name, file, bitmap: undefined, size };
  } finally {
    bitmap.close();
  }
}
