import type { Size } from '../../src/recipes/plan.ts';

/** What the user has chosen. */
export interface GivenPicture {
  readonly name: string;
  /** The file as the service gets it. */
  readonly file: Blob;
  /** Where the service has it, if it is a sample. */
  readonly sampleUrl: string | undefined;
}

/** The image that all panels encode. */
export interface Picture extends GivenPicture {
  /** What is drawn; undefined for a file that the browser cannot decode or make smaller. */
  readonly bitmap: ImageBitmap | undefined;
  /** In pixels, upright; undefined until an answer tells it where the browser cannot. */
  readonly size: Size | undefined;
}

/** Longest side of what is drawn: more than a panel has pixels. */
const longestDrawn = 2048;

/** Decodes a picture. The service judges whether it is an image, so this never fails. */
export async function openPicture(given: GivenPicture): Promise<Picture> {
  const bitmap = await createImageBitmap(given.file).catch(() => undefined);
  if (bitmap === undefined) return { ...given, bitmap: undefined, size: undefined };
  const size = { width: bitmap.width, height: bitmap.height };
  const zoom = longestDrawn / Math.max(size.width, size.height);
  if (zoom >= 1) return { ...given, bitmap, size };
  try {
    const smaller = await createImageBitmap(bitmap, {
      resizeWidth: Math.max(1, Math.round(size.width * zoom)),
      resizeHeight: Math.max(1, Math.round(size.height * zoom)),
      resizeQuality: 'high',
    });
    return { ...given, bitmap: smaller, size };
  } catch {
    // The browser lacks the memory; the tokens need no bitmap.
    return { ...given, bitmap: undefined, size };
  } finally {
    bitmap.close();
  }
}
