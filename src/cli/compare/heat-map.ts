import { decode, type DecodeOptions } from '../../image/decode.ts';
import type { Raster } from '../../image/raster.ts';
import { resample } from '../../image/resample.ts';
import { sharp } from '../../image/sharp.ts';
import type { Canvas, Size } from '../../recipes/plan.ts';
import { type Colour, colourOf } from '../../tokens/colours/colour-scale.ts';

/** One number for each token of a view, and where the view and its tokens lie in the image. */
export interface HeatMap {
  /** Row-major over `grid`. */
  readonly values: Float64Array;
  readonly grid: Size;
  /** The value that has the scale's last colour; 0 has its first. More than 0. */
  readonly scaleMax: number;
  /** The canvas whose first view the tokens are of; content covers that view. */
  readonly canvas: Canvas;
  readonly viewSize: number;
  /** Side of what a token is made from, in pixels of the view. */
  readonly patchSize: number;
}

/**
 * Draws the heat map of an image file as a PNG file, which names its scale in EXIF's ImageDescription. Rejects as
 * `decode` does.
 */
export async function heatMapFile(
  bytes: Uint8Array,
  options: DecodeOptions,
  map: HeatMap,
): Promise<Uint8Array> {
  const { width, height, data } = drawHeatMap(await decode(bytes, options), map);
  const description = `1 - cosine of each token, from 0 to ${map.scaleMax}`;
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .withExif({ IFD0: { ImageDescription: description } })
    .png()
    .toBuffer();
}

/** The longer side of what is drawn, in pixels, without the scale below it. */
const longSide = 1024;
/** However thin the image. */
const leastPixelsPerToken = 4;
/**
 * How much of a pixel is the colour of its token; the rest is the image in grey, dimmed so that white stays readable.
 */
const opacity = 0.65;
const dimming = 0.5;
/** What the scale is laid over, so that its colours are those of the blocks. */
const middleGrey = 128;
const gapHeight = 8;
const barHeight = 24;

/**
 * The part of the raster that the view shows, in its own proportions and grey, each token's block tinted with its
 * value, and below it the scale from 0 (left) to `scaleMax` (right). What no token is made from stays untinted.
 * Synchronous, and not for the main thread of a service.
 */
export function drawHeatMap(raster: Raster, map: HeatMap): Raster {
  const { grid, viewSize, patchSize } = map;
  const shown = shownPart(raster, map);
  const zoom = longSide / Math.max(shown.width, shown.height);
  const width = Math.max(Math.round(shown.width * zoom), grid.width * leastPixelsPerToken);
  const height = Math.max(Math.round(shown.height * zoom), grid.height * leastPixelsPerToken);
  const picture = resample(shown, { width, height }, map.canvas.resample);
  const colours = Array.from(map.values, (value) => colourOf(value / map.scaleMax));
  const drawn = new Uint8Array(width * (height + gapHeight + barHeight) * 3).fill(255);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * viewSize) / height / patchSize);
    for (let x = 0; x < width; x++) {
      const column = Math.floor(((x + 0.5) * viewSize) / width / patchSize);
      const isSeen = row < grid.height && column < grid.width;
      const colour = isSeen ? colours[row * grid.width + column] : undefined;
      putTinted(drawn, (y * width + x) * 3, greyOf(picture.data, (y * width + x) * 3), colour);
    }
  }
  for (let y = height + gapHeight; y < height + gapHeight + barHeight; y++) {
    for (let x = 0; x < width; x++)
      putTinted(drawn, (y * width + x) * 3, middleGrey, colourOf(x / (width - 1)));
  }
  return { width, height: height + gapHeight + barHeight, data: drawn };
}

/** What the view shows, to the nearest pixels of the raster. */
function shownPart(raster: Raster, { canvas: { content, paste, views }, viewSize }: HeatMap): Raster {
  const [view] = views;
  if (view === undefined) throw new RangeError('the canvas has no view');
  const across = nearestPixels(raster.width, content.width, view.left - paste.left, viewSize);
  const down = nearestPixels(raster.height, content.height, view.top - paste.top, viewSize);
  if (across.count === raster.width && down.count === raster.height) return raster;
  const data = new Uint8Array(across.count * down.count * 3);
  for (let y = 0; y < down.count; y++) {
    const start = ((down.first + y) * raster.width + across.first) * 3;
    data.set(raster.data.subarray(start, start + across.count * 3), y * across.count * 3);
  }
  return { width: across.count, height: down.count, data };
}

/** Along one side: the raster's pixels that lie in the view, at least one. */
function nearestPixels(raster: number, content: number, offset: number, viewSize: number) {
  if (offset < 0 || offset + viewSize > content) throw new RangeError('the view shows more than the image');
  const first = Math.min(Math.round((offset * raster) / content), raster - 1);
  const end = Math.round(((offset + viewSize) * raster) / content);
  return { first, count: Math.max(1, end - first) };
}

/** Rec. 601 luma, as Pillow's convert('L'). */
function greyOf(data: Uint8Array, index: number): number {
  return 0.299 * data[index]! + 0.587 * data[index + 1]! + 0.114 * data[index + 2]!;
}

function putTinted(data: Uint8Array, index: number, grey: number, colour: Colour | undefined): void {
  const dimmed = grey * dimming;
  for (let channel = 0; channel < 3; channel++) {
    const tint = colour?.[channel] ?? dimmed;
    data[index + channel] = Math.round(dimmed + (tint - dimmed) * opacity);
  }
}
