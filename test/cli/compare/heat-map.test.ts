import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colourOf } from '../../../src/tokens/colours/colour-scale.ts';
import { drawHeatMap, type HeatMap } from '../../../src/cli/compare/heat-map.ts';
import type { Raster } from '../../../src/image/raster.ts';

/** A raster whose pixels are all of one grey. */
function flat(width: number, height: number, grey: number): Raster {
  return { width, height, data: new Uint8Array(width * height * 3).fill(grey) };
}

/** A squashed view of 32 px with 2 x 2 tokens. */
function squash(values: readonly number[], scaleMax = 1): HeatMap {
  const square = { width: 32, height: 32 };
  const origin = { left: 0, top: 0 };
  return {
    values: Float64Array.from(values),
    grid: { width: 2, height: 2 },
    scaleMax,
    canvas: { content: square, resample: 'bilinear', size: square, paste: origin, views: [origin] },
    viewSize: 32,
    patchSize: 16,
  };
}

function pixel({ data, width }: Raster, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

/** A colour's share of a block over black. */
function overBlack(share: number): number[] {
  return colourOf(share).map((channel) => Math.round(channel * 0.65));
}

test('gets ever lighter along the colour scale', () => {
  const lightness = Array.from({ length: 101 }, (_, step) => {
    const [red, green, blue] = colourOf(step / 100);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
  for (let step = 1; step <= 100; step++) assert.ok(lightness[step]! > lightness[step - 1]!, String(step));
  assert.deepEqual(colourOf(-1), colourOf(0));
  assert.deepEqual(colourOf(7), colourOf(1));
});

test("draws the whole image in its own proportions, each token's block in its colour", () => {
  const drawn = drawHeatMap(flat(200, 100, 0), squash([0, 0.25, 0.5, 3]));
  assert.deepEqual([drawn.width, drawn.height], [1024, 512 + 8 + 24]);
  for (const [x, y, share] of [
    [0, 0, 0],
    [511, 255, 0],
    [512, 255, 0.25],
    [511, 256, 0.5],
    [1023, 511, 1],
  ] as const) {
    assert.deepEqual(pixel(drawn, x, y), overBlack(share), `${x}, ${y}`);
  }
});

test('shows the image through the colours', () => {
  const raster = flat(64, 64, 0);
  raster.data.fill(255, 0, 32 * 64 * 3);
  const drawn = drawHeatMap(raster, squash([0.5, 0.5, 0.5, 0.5]));
  for (const [channel, above] of pixel(drawn, 9, 9).entries()) {
    assert.ok(above > pixel(drawn, 9, 1000)[channel]! + 30);
  }
});

test('has the scale below the picture, from its first colour to its last', () => {
  const drawn = drawHeatMap(flat(64, 64, 128), squash([0, 1, 2, 3], 3));
  for (const y of [1024 + 8, 1024 + 31]) {
    assert.deepEqual(pixel(drawn, 0, y), pixel(drawn, 9, 9), 'the colour of 0');
    assert.deepEqual(pixel(drawn, 1023, y), pixel(drawn, 1000, 1000), 'the colour of the end');
  }
  assert.deepEqual(pixel(drawn, 500, 1024 + 4), [255, 255, 255]);
});

test('leaves untinted what is right of and below the last whole patch', () => {
  const map = { ...squash([1, 1, 1, 1]), patchSize: 15 };
  const drawn = drawHeatMap(flat(64, 64, 100), map);
  assert.deepEqual(pixel(drawn, 961, 0), [50, 50, 50]);
  assert.deepEqual(pixel(drawn, 0, 961), [50, 50, 50]);
  assert.notDeepEqual(pixel(drawn, 958, 958), [50, 50, 50]);
});

test('shows only the part of the image that a cropped view shows', () => {
  const raster = flat(300, 100, 0);
  // White in the middle third only.
  for (let y = 0; y < 100; y++) raster.data.fill(255, (y * 300 + 100) * 3, (y * 300 + 200) * 3);
  const size = { width: 96, height: 32 };
  const canvas = {
    ...squash([]).canvas,
    content: size,
    size,
    views: [{ left: 32, top: 0 }],
  };
  const drawn = drawHeatMap(raster, { ...squash([0, 0, 0, 0]), canvas });
  assert.deepEqual([drawn.width, drawn.height], [1024, 1024 + 32]);
  const white = pixel(drawn, 512, 512);
  assert.deepEqual(pixel(drawn, 0, 0), white);
  assert.deepEqual(pixel(drawn, 1023, 1023), white);
});

test('keeps a few pixels for each token of an image however thin', () => {
  const drawn = drawHeatMap(flat(2000, 1, 0), squash([0, 1, 1, 0]));
  assert.deepEqual([drawn.width, drawn.height], [1024, 8 + 32]);
  assert.deepEqual(pixel(drawn, 0, 3), overBlack(0));
  assert.deepEqual(pixel(drawn, 0, 4), overBlack(1));
});

test('refuses a view that shows more than the image', () => {
  const map = squash([0, 0, 0, 0]);
  const canvas = { ...map.canvas, paste: { left: 4, top: 0 } };
  assert.throws(() => drawHeatMap(flat(9, 9, 0), { ...map, canvas }), RangeError);
});
