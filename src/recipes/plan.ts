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

/** A rectangle of a map, in tokens. */
export interface TokenRect extends Size {
  readonly x: number;
  readonly y: number;
}

/**
 * How views lie on a map of tokens: view `views[row * columns + column]` (an index into all views of the plan, canvas
 * after canvas; null where that view is not encoded, because nothing of it is kept) has its first token at
 * (column * stride.width, row * stride.height). Where views overlap a token is the plain mean of those that cover it.
 */
export interface MapLayout {
  readonly columns: number;
  readonly rows: number;
  readonly stride: Size;
  readonly views: readonly (number | null)[];
}

/** How maps of several scales become one. */
export type Fusion = 'average' | 'concat' | 'unshuffle_concat';

/** Channel order of pixel unshuffle: torch.nn.PixelUnshuffle's (c, dy, dx), or InternVL v2's (dy, dx, c). */
export type ChannelOrder = 'torch' | 'internvl';

/**
 * How the views' tokens become the answer. All arithmetic is float32, rounded once to the answer's dtype.
 * - single: the one view's tokens.
 * - stack: every view's tokens, untouched: [views, tokens, channels].
 * - fuse: `maps` brought to the answer's grid (bilinear, torch's align_corners=False without antialias) and averaged
 *   with `weights` (sum 1), or concatenated by channel in order; with unshuffle_concat larger maps are rearranged
 *   space to depth instead of being interpolated.
 * - anyres: the tokens of view 0, then those of `map` inside `unpad`, bilinear to `limited` where that is smaller.
 */
export type Assembly =
  | { readonly kind: 'single' }
  | { readonly kind: 'stack' }
  | {
      readonly kind: 'fuse';
      readonly maps: readonly MapLayout[];
      readonly fusion: Fusion;
      readonly weights: readonly number[];
      readonly channelOrder: ChannelOrder;
    }
  | { readonly kind: 'anyres'; readonly map: MapLayout; readonly unpad: TokenRect; readonly limited: Size };

/** Pure data, made from the image's size, the model's geometry and the request's options alone. */
export interface Plan {
  readonly recipe: 'encode' | 'teacher' | 'anyres';
  /** Side of a view, in pixels. */
  readonly viewSize: number;
  /** Tokens and channels of a view. */
  readonly viewGrid: Size;
  readonly channels: number;
  readonly canvases: readonly Canvas[];
  readonly assembly: Assembly;
  /** Shape of the answer: [tokens, channels], or [views, tokens, channels] of a stack. */
  readonly shape: readonly number[];
  /** The answer's token grid: for anyres that of the base view. */
  readonly grid: Size;
}
