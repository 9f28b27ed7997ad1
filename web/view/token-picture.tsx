import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Paint } from '../arithmetic/paint.ts';
import type { Rect } from '../geometry/rect.ts';
import type { TokenLayer, TokenMap } from '../geometry/token-layers.ts';
import type { Picture } from '../picture/picture.ts';
import { useWidth } from './use-width.ts';

interface TokenPictureProps {
  /** The part of the image's plane that is shown, in pixels of the image. */
  readonly frame: Rect;
  readonly picture: Picture;
  /** What lies over the picture. */
  readonly children: ComponentChildren;
}

/** The picture, drawn once for a size. What is beside it is black, as AnyRes pads it. */
export function TokenPicture({ frame, picture, children }: TokenPictureProps) {
  const [holder, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const pixels = Math.round(width * Math.min(2, devicePixelRatio));
  useLayoutEffect(() => {
    if (canvas.current !== null && pixels > 0) drawPicture(canvas.current, pixels, frame, picture);
  }, [pixels, frame.x, frame.y, frame.width, frame.height, picture]);
  return (
    <div class="token-picture" ref={holder}>
      <canvas ref={canvas} />
      {children}
    </div>
  );
}

function drawPicture(
  canvas: HTMLCanvasElement,
  pixels: number,
  frame: Rect,
  { size, bitmap }: Picture,
): void {
  canvas.width = pixels;
  canvas.height = Math.max(1, Math.round((pixels * frame.height) / frame.width));
  const context = canvas.getContext('2d', { alpha: false })!;
  const zoom = { x: canvas.width / frame.width, y: canvas.height / frame.height };
  context.setTransform(zoom.x, 0, 0, zoom.y, -frame.x * zoom.x, -frame.y * zoom.y);
  context.fillStyle = '#000';
  context.fillRect(frame.x, frame.y, frame.width, frame.height);
  const { width, height } = size!;
  context.fillStyle = bitmap === undefined ? '#888' : '#fff';
  context.fillRect(0, 0, width, height);
  if (bitmap !== undefined) context.drawImage(bitmap, 0, 0, width, height);
}

interface TokensProps {
  readonly frame: Rect;
  readonly layer: TokenLayer;
  readonly paint: Paint | undefined;
  /** Share of the tokens' colours. */
  readonly blend: number;
}

/** Each token's colour over the picture: a pixel a token, which the browser enlarges, so that a hover paints few pixels. */
export function Tokens({ frame, layer, paint, blend }: TokensProps) {
  const placeOf = ({ x, y, width, height }: Rect) => ({
    left: percent((x - frame.x) / frame.width),
    top: percent((y - frame.y) / frame.height),
    width: percent(width / frame.width),
    height: percent(height / frame.height),
  });
  return (
    <>
      {layer.maps.map((map, index) => (
        <TokenCanvas key={index} map={map} paint={paint} style={{ ...placeOf(map.rect), opacity: blend }} />
      ))}
    </>
  );
}

interface TokenCanvasProps {
  readonly map: TokenMap;
  readonly paint: Paint | undefined;
  readonly style: Readonly<Record<string, string | number>>;
}

function TokenCanvas({ map, paint, style }: TokenCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = map.grid;
  useLayoutEffect(() => {
    if (canvas.current !== null) drawTokens(canvas.current, map, paint);
  }, [map, paint]);
  return <canvas ref={canvas} class="tokens" width={width} height={height} style={style} />;
}

function drawTokens(
  canvas: HTMLCanvasElement,
  { grid, first, stride }: TokenMap,
  paint: Paint | undefined,
): void {
  const pixels = new ImageData(grid.width, grid.height);
  const needed = (first + (grid.height - 1) * stride + grid.width) * 4;
  // Colours of fewer tokens are those of an answer before; they leave the picture bare.
  if (paint !== undefined && paint.colours.length >= needed) {
    for (let row = 0; row < grid.height; row++) {
      const start = (first + row * stride) * 4;
      pixels.data.set(paint.colours.subarray(start, start + grid.width * 4), row * grid.width * 4);
    }
  }
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
}

function percent(share: number): string {
  return `${share * 100}%`;
}
