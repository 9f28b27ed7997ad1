import type { Raster } from './raster.ts';

/**
 * One image as it came: a file's bytes, or pixels that the caller had already. Whoever encodes it takes it over: a
 * buffer that the bytes or the pixels span is transferred to another thread, and the caller loses it.
 */
export type ImageInput =
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'raster'; readonly raster: Raster };
