/** A size in pixels or tokens. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pillow's filter of that name. */
export const resamples = ['bilinear', 'bicubic'] as const;
export type Resample = (typeof resamples)[number];

/**
 * How an image of any shape becomes a square view: both sides resized to it, or the shorter side resized to it and
 * the middle of the longer one kept.
 */
export const resizes = ['squash', 'crop'] as const;
export type Resize = (typeof resizes)[number];

/** The left upper corner of something on a canvas, in pixels; negative when that part is cropped away. */
export interface Offset {
  readonly left: number;
  readonly top: number;
}

/**
 * A picture to make from the raster: the whole raster resized to `content`, laid at `paste` on a black canvas of
 * `size`, and `views` cut from it, each a square of the plan's view size or of its own
 * encoder's.
 */
export interface Canvas {
  readonly content: Size;
  readonly resample: Resample;
  readonly size: Size;
  readonly paste: Offset;
  readonly views: readonly Offset[];
  /** What encodes the views, where that is not the plan's model: one of the same tower for larger views. */
  readonly encoder?: CanvasEncoder;
}

/** A served model as a plan names it. */
export interface CanvasEncoder {
  readonly model: string;
  readonly digest: string;
  readonly viewSize: number;
  readonly viewGrid: Size;
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
  /** Tokens of each of these views; the plan's when absent. */
  readonly viewGrid?: Size;
}

/** How maps of several scales become one. */
export const fusions = ['average', 'concat', 'unshuffle_concat'] as const;
export type Fusion = (typeof fusions)[number];

/**
 * How a scale is cut: side by side, at a stride of half a view, or not at all (which takes a model of that image
 * size).
 */
export const teacherWindows = ['tiles', 'half_overlap', 'whole'] as const;
export type TeacherWindows = (typeof teacherWindows)[number];

/** Channel order of pixel unshuffle: torch.nn.PixelUnshuffle's (c, dy, dx), or InternVL v2's (dy, dx, c). */
export const channelOrders = ['torch', 'internvl'] as const;
export type ChannelOrder = (typeof channelOrders)[number];

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

/** How many tiles lie beside and below each other. */
export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
}

/**
 * What an LLM server needs to place anyres tokens. It is the same for every assembly: a stack leaves the unpadding
 * and the limit to the caller, and these are the sizes to use.
 */
export interface AnyresGeometry {
  readonly tileGrid: TileGrid;
  /** Tokens of the base view, which come first. */
  readonly baseTokens: number;
  /** What is kept of the tiles' map, in tokens; 0 wide or high for extreme shapes. */
  readonly unpad: TokenRect;
  /** The kept map after the limit: a newline vector goes after each of its rows, also where they are 0 wide. */
  readonly spatial: Size;
  /** Whether the limit makes `spatial` smaller than `unpad`. */
  readonly resized: boolean;
}

/** How a teacher's tokens came about, for those who distil from them or compare. */
export interface TeacherMakeup {
  /** In pixels. */
  readonly scales: readonly number[];
  /** Of each scale in the average, of sum 1; of a concatenation none. */
  readonly weights: readonly number[];
  readonly fusion: Fusion;
  readonly windows: TeacherWindows;
  /** What encoded each scale. */
  readonly models: readonly { readonly name: string; readonly digest: string }[];
}

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
  /** Of a teacher plan only. */
  readonly teacher?: TeacherMakeup;
  /** Of an anyres plan only. */
  readonly anyres?: AnyresGeometry;
}
