import type { Size } from '../recipes/plan.ts';

/** The tokens of one image, as its request asked for them. */
export interface EncodedImage {
  /** Of the image, in pixels. */
  readonly size: Size;
  /** The little-endian values, in pieces that own their buffers. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}
