/** Decoded pixels: RGB, uint8, row-major, `height * width * 3` bytes. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
