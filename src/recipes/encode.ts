import type { Canvas, Plan, Size } from './plan.ts';
import type { PlanModel } from './plan-model.ts';

export interface EncodeRecipeOptions {
  /** Puts the class token before the patches' tokens. */
  readonly classToken?: boolean;
}

/**
 * Plans Encode: one view, which is the whole image squashed to the model's square, or its middle, as the model's `resize`
 * says.
 */
export function planEncode(
  image: Size,
  model: PlanModel,
  { classToken = false }: EncodeRecipeOptions = {},
): Plan {
  const tokens = model.grid.width * model.grid.height + (classToken ? 1 : 0);
  return {
    recipe: 'encode',
    viewSize: model.imageSize,
    viewGrid: model.grid,
    channels: model.channels,
    canvases: [canvasOf(image, model)],
    assembly: { kind: 'single' },
    shape: [tokens, model.channels],
    grid: model.grid,
  };
}

/** Plans the pooled vector of the view that Encode makes. The model must have one. */
export function planPooled(image: Size, model: PlanModel): Plan {
  const channels = model.outputs?.pooledChannels;
  if (channels === undefined) throw new Error(`the model ${model.name} has no pooled vector`);
  const grid = { width: 1, height: 1 };
  return { ...planEncode(image, model), viewGrid: grid, channels, shape: [channels], grid };
}

function canvasOf(image: Size, { imageSize, resample, resize, fitSize }: PlanModel): Canvas {
  const square = { width: imageSize, height: imageSize };
  const origin = { left: 0, top: 0 };
  const squashed = { content: square, resample, size: square, paste: origin, views: [origin] };
  switch (resize) {
    case 'squash':
      return squashed;
    case 'fit-squash':
      return fitSize === undefined ? squashed : { ...squashed, prescale: longestEdge(image, fitSize) };
    case 'crop':
      return { ...squashed, ...cropCentred(image, imageSize) };
  }
}

/** Resizes the shorter side to `side`, and pastes the image so that a square of `side` shows its middle. */
export function cropCentred(image: Size, side: number): Pick<Canvas, 'content' | 'paste'> {
  const content = shortestEdge(image, side);
  // The middle as in transformers' center_crop: between two pixels, the upper left one.
  const paste = {
    left: 0 - Math.floor((content.width - side) / 2),
    top: 0 - Math.floor((content.height - side) / 2),
  };
  return { content, paste };
}

/** The shorter side becomes `edge`; the longer one is truncated, as in transformers' get_resize_output_image_size. */
function shortestEdge({ width, height }: Size, edge: number): Size {
  const long = Math.trunc((edge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: edge, height: long } : { width: long, height: edge };
}

/**
 * The longer side becomes `edge`; the other one is truncated and made even, in the order of operations of
 * _resize_output_size_rescale_to_max_len of transformers' Idefics3.
 */
function longestEdge({ width, height }: Size, edge: number): Size {
  const ratio = width / height;
  if (width >= height) return { width: edge, height: evenSide(edge / ratio) };
  return { width: evenSide(edge * ratio), height: edge };
}

function evenSide(length: number): number {
  const side = Math.trunc(length);
  return Math.max(side % 2 === 0 ? side : side + 1, 1);
}
