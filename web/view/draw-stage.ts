import type { Rect } from '../geometry/rect.ts';
import type { TokenLayer, TokenMap } from '../geometry/token-layers.ts';
import type { Picture } from '../picture/picture.ts';
import type { Paint } from '../arithmetic/paint.ts';

export interface Drawing {
  /** The part of the image's plane that the canvas shows, in pixels of the image. */
  readonly frame: Rect;
  readonly picture: Picture;
  readonly layer: TokenLayer | undefined;
  readonly paint: Paint | undefined;
  /** Share of the tokens' colours. */
  readonly blend: number;
}

/** Draws the picture, and each token's colour over it. What is beside the picture is black, as AnyRes pads it. */
export function drawStage(canvas: HTMLCanvasElement, { frame, picture, layer, paint, blend }: Drawing): void {
  const context = canvas.getContext('2d')!;
  const zoom = { x: canvas.width / frame.width, y: canvas.height / frame.height };
  context.setTransform(zoom.x, 0, 0, zoom.y, -frame.x * zoom.x, -frame.y * zoom.y);
  context.globalAlpha = 1;
  context.fillStyle = '#000';
  context.fillRect(frame.x, frame.y, frame.width, frame.height);
  const { width, height } = picture.size!;
  context.imageSmoothingEnabled = true;
  if (picture.bitmap === undefined) {
    context.fillStyle = '#888';
    context.fillRect(0, 0, width, height);
  } else {
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(picture.bitmap, 0, 0, width, height);
  }
  if (layer === undefined || paint === undefined) return;
  context.globalAlpha = blend;
  context.imageSmoothingEnabled = false;
  for (const map of layer.maps) drawTokens(context, map, paint.colours);
}

/** One pixel a token, enlarged. */
const scratch = document.createElement('canvas');

function drawTokens(context: CanvasRenderingContext2D, map: TokenMap, colours: Uint8ClampedArray): void {
  const { grid, first, stride, rect } = map;
  const needed = (first + (grid.height - 1) * stride + grid.width) * 4;
  if (colours.length < needed) return;
  scratch.width = grid.width;
  scratch.height = grid.height;
  const pixels = new ImageData(grid.width, grid.height);
  for (let row = 0; row < grid.height; row++) {
    const start = (first + row * stride) * 4;
    pixels.data.set(colours.subarray(start, start + grid.width * 4), row * grid.width * 4);
  }
  scratch.getContext('2d')!.putImageData(pixels, 0, 0);
  context.drawImage(scratch, rect.x, rect.y, rect.width, rect.height);
}
