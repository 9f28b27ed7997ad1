import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { encodePng } from '../../src/image/png.ts';
import { noise } from './noise.ts';

test('writes a PNG that a decoder reads back to the last bit', async () => {
  for (const [width, height] of [
    [1, 1],
    [7, 3],
    [200, 131],
  ] as const) {
    const raster = noise({ width, height });
    const { data, info } = await sharp(await encodePng(raster))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height, info.channels], [width, height, 3]);
    assert.ok(data.equals(raster.data));
  }
});

test('carries texts', async () => {
  const png = await encodePng(noise({ width: 2, height: 2 }), { Description: 'from 0 to 0.2' });
  const { comments } = await sharp(png).metadata();
  assert.deepEqual(comments, [{ keyword: 'Description', text: 'from 0 to 0.2' }]);
});
