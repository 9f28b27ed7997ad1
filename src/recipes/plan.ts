/** A size in pixels or tokens. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pillow's filter of that name. */
export type Resample = 'bilinear' | 'bicubic';

/** The left upper corner of something on a canvas, in pixels; negative when that part is cropped away. */
export interface Offset {
  readonly left: number;
  readonly top: number;
}

/**
 * A picture to make from the raster: the whole raster resized to `content`, laid at `paste` on a black canvas of
 * `size`, and `views` cut from it, each a square of the plan's view size.
 */
export interface Canvas {
  readonly content: Size;
  readonly resample: Resample;
  readonly size: Size;
  readonly paste: Offset;
  readonly views: readonly Offset[];
}

/** How the views' tokens become the answer. TeacherEncode and AnyResEncode will add kinds of their own. */
export type Assembly = { readonly kind: 'single' };

/** Pure data, made from the image's size, the model's geometry and the request's options alone. */
export interface Plan {
  readonly recipe: 'encode';
  /** Side of a view, in pixels. */
  readonly viewSize: number;
  readonly canvases: readonly Canvas[];
  readonly assembly: Assembly;
  /** Shape of the answer: [tokens, channels]. */
  readonly shape: readonly [tokens: number, channels: number];
  /** The answer's token grid. */
  readonly grid: Size;
}
