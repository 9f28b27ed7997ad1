// AnyRes of a page: the plan on its canvas, the base view's tokens, and those of the tiles.
import { TokenColours } from '../../build/src/tokens/colours/token-colours.js';
import { fitCentred } from '../../build/src/recipes/anyres-geometry.js';
import { encode } from './service.js';
import { blocks, image, magenta, quiet, rect, shrunk, text, writePicture, yellow } from './svg.js';

/** anyres.png */
export async function drawAnyres({ url, page, pageSize, student, imageSize }) {
  const { tokens, metadata } = await encode(url, 'anyres-encode', page, { model: student });
  const { tile_grid: tiles, base_tokens: baseTokens, spatial } = metadata.anyres;
  const { grid } = metadata;
  const canvas = { width: tiles.columns * imageSize, height: tiles.rows * imageSize };
  const { content: fitted, paste } = fitCentred(pageSize, canvas);
  const zoom = 440 / canvas.height;
  const at = (x, y, width, height) => ({
    x: x * zoom,
    y: 44 + y * zoom,
    width: width * zoom,
    height: height * zoom,
  });
  const shown = at(paste.left, paste.top, fitted.width, fitted.height);
  const painted = TokenColours.fit([tokens]).paint(tokens);
  const columns = [canvas.width * zoom + 30, canvas.width * zoom + 30 + 300];
  const base = { x: columns[0], y: 44, width: 270, height: 270 };
  const map = { x: columns[1], y: shown.y, width: shown.width, height: shown.height };
  const outlines = Array.from({ length: tiles.columns * tiles.rows }, (_, tile) =>
    rect(
      at(
        (tile % tiles.columns) * imageSize,
        Math.floor(tile / tiles.columns) * imageSize,
        imageSize,
        imageSize,
      ),
      { stroke: magenta, thick: 2 },
    ),
  );
  await writePicture('anyres', { width: Math.ceil(columns[1] + map.width), height: 486 }, [
    text(0, 16, `${tiles.columns} x ${tiles.rows} tiles`, { weight: 'bold' }),
    text(0, 35, 'the page on a black canvas', { size: 13, fill: quiet }),
    rect(at(0, 0, canvas.width, canvas.height), { fill: '#000' }),
    image(shown, await shrunk(page, shown)),
    ...outlines,
    rect(shown, { stroke: yellow, thick: 2, dash: '7 5' }),
    text(columns[0], 16, 'base view', { weight: 'bold' }),
    text(columns[0], 35, `${grid.width} x ${grid.height} tokens, first in the answer`, {
      size: 13,
      fill: quiet,
    }),
    image(base, await blocks(painted.subarray(0, baseTokens * 3), grid, { width: 540, height: 540 })),
    text(columns[1], 16, 'tiles without padding', { weight: 'bold' }),
    text(columns[1], 35, `${spatial.width} x ${spatial.height} tokens, row by row`, {
      size: 13,
      fill: quiet,
    }),
    image(
      map,
      await blocks(painted.subarray(baseTokens * 3), spatial, {
        width: map.width * 2,
        height: map.height * 2,
      }),
    ),
  ]);
}
