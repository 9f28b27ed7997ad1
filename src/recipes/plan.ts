/** A size in pixels or tokens. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pillow's filters of these names. */
export const resamples = ['bilinear', 'bicubic', 'lanczos'] as const;
export type Resample = (typeof resamples)[number];

/**
 * How an image of any shape becomes a square view. `squash` resizes both sides to the square. `crop` resizes the shorter
 * side and keeps the middle of the longer one. `fit-squash` resizes the longer side to the model's `fitSize` first, and
 * squashes the result.
 */
export const resizes = ['squash', 'crop', 'fit-squash'] as const;
export type Resize = (typeof resizes)[number];

/**
 * What is answered: the tower's features, what the model's projector makes of them for a language model, or one vector of the
 * whole image.
 */
export const tokenOutputs = ['features', 'embeddings', 'pooled'] as const;
export type TokenOutput = (typeof tokenOutputs)[number];

/** An upper left corner on a canvas, in pixels; negative where that part is cropped away. */
export interface Offset {
  readonly left: number;
  readonly top: number;
}

/**
 * A picture to make from the raster. The whole raster is resized to `prescale`, if there is one, then to `content`, and pasted at `paste` on a black canvas of
 * `size`. Then `views` are cut from the canvas: squares of the encoder's view size, which is the plan's by default.
 */
export interface Canvas {
  readonly prescale?: Size;
  readonly content: Size;
  readonly resample: Resample;
  readonly size: Size;
  readonly paste: Offset;
  readonly views: readonly Offset[];
  /** The model that encodes the views, if not the plan's own: one of the same tower for larger views. */
  readonly encoder?: CanvasEncoder;
}

/** A served model as a plan refers to it. */
export interface CanvasEncoder {
  readonly model: string;
  readonly digest: string;
  readonly viewSize: number;
  readonly viewGrid: Size;
}

/** A rectangle on a map, in tokens. */
export interface TokenRect extends Size {
  readonly x: number;
  readonly y: number;
}

/**
 * How views lie on a map of tokens. View `views[row * columns + column]` has its first token at (column * stride.width,
 * row * stride.height). Where views overlap, a token is the plain mean of those that cover it.
 */
export interface MapLayout {
  readonly columns: number;
  readonly rows: number;
  readonly stride: Size;
  /** Indices into all views of the plan, canvas after canvas. Null for a view that is not kept, so not encoded. */
  readonly views: readonly (number | null)[];
  /** Token grid of each of these views; the plan's when absent. */
  readonly viewGrid?: Size;
}

/** How the maps of several scales become one. */
export const fusions = ['average', 'concat', 'unshuffle_concat'] as const;
export type Fusion = (typeof fusions)[number];

/**
 * How a scale is cut into views: side by side, at a stride of half a view, or not at all. The last needs a model of that
 * image size.
 */
export const teacherWindows = ['tiles', 'half_overlap', 'whole'] as const;
export type TeacherWindows = (typeof teacherWindows)[number];

/** Channel order of pixel unshuffle: torch.nn.PixelUnshuffle's (c, dy, dx), or InternVL v2's (dy, dx, c). */
export const channelOrders = ['torch', 'internvl'] as const;
export type ChannelOrder = (typeof channelOrders)[number];

/**
 * How the views' tokens become the answer. All arithmetic is float32, rounded once to the answer's dtype.
 * - single: the tokens of the only view.
 * - stack: every view's tokens, untouched: [views, tokens, channels].
 * - fuse: `maps` are interpolated to the answer's grid (bilinear, torch's align_corners=False without antialias), then
 *   averaged with `weights` of sum 1 or concatenated by channel in order. With unshuffle_concat, larger maps are
 *   rearranged from space to depth instead.
 * - anyres: the tokens of view 0, then those of `map` inside `unpad`, interpolated to `limited` where that is smaller. With
 *   `newline`, the projector's newline row follows each line of that map, even lines 0 wide.
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
  | {
      readonly kind: 'anyres';
      readonly map: MapLayout;
      readonly unpad: TokenRect;
      readonly limited: Size;
      readonly newline?: boolean;
    };

/** A number of tiles across and down. */
export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
}

/**
 * What an LLM server needs to place anyres tokens. It is the same for every assembly: with a stack, the caller unpads
 * and limits the map to these sizes itself.
 */
export interface AnyresGeometry {
  readonly tileGrid: TileGrid;
  /** Tokens of the base view, which come first. */
  readonly baseTokens: number;
  /** The part of the tiles' map that is kept; 0 wide or high for extreme shapes. */
  readonly unpad: TokenRect;
  /** The kept map after the limit. A newline vector belongs after each of its rows, even rows 0 wide. */
  readonly spatial: Size;
  /** Newline rows in the answer: one after each row of `spatial`, or 0 where the caller adds them. */
  readonly newlines: number;
  /** Whether the limit makes `spatial` smaller than `unpad`. */
  readonly resized: boolean;
}

/** How a teacher's tokens were made, for distillation and comparison. */
export interface TeacherMakeup {
  /** In pixels. */
  readonly scales: readonly number[];
  /** The weight of each scale in the average, with sum 1; empty for a concatenation. */
  readonly weights: readonly number[];
  readonly fusion: Fusion;
  readonly windows: TeacherWindows;
  /** The model that encoded each scale. */
  readonly models: readonly { readonly name: string; readonly digest: string }[];
}

/** How to make an answer: pure data that follows from the image's size, the model and the request's options. */
export interface Plan {
  readonly recipe: 'encode' | 'teacher' | 'anyres';
  /** Side of a view, in pixels. */
  readonly viewSize: number;
  /** Token grid of a view. */
  readonly viewGrid: Size;
  readonly channels: number;
  readonly canvases: readonly Canvas[];
  readonly assembly: Assembly;
  /** Shape of the answer: [tokens, channels], [views, tokens, channels] for a stack, or [channels] of a pooled vector. */
  readonly shape: readonly number[];
  /** The answer's token grid without a class token; for anyres, that of the base view. */
  readonly grid: Size;
  /** Shape and grid of the assembled features, where the answer is what the projector makes of them. */
  readonly fused?: Pick<Plan, 'shape' | 'grid'>;
  /** Present in a teacher plan. */
  readonly teacher?: TeacherMakeup;
  /** Present in an anyres plan. */
  readonly anyres?: AnyresGeometry;
}
