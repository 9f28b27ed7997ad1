import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Raster, RowSource } from '../../src/image/raster.ts';
import { resample } from '../../src/image/resample.ts';
import { cutViews } from '../../src/image/cut-views.ts';
import type { Canvas, Resample } from '../../src/recipes/plan.ts';
import { noise } from './noise.ts';

/** What a canvas is by its definition: made whole, then cut. */
function plainViews(raster: Raster, canvas: Canvas, viewSize: number): Uint8Array[] {
  const content = resample(raster, canvas.content, canvas.resample);
  const { width, height } = canvas.size;
  const pixel = (x: number, y: number): Uint8Array => {
    const left = x - canvas.paste.left;
    const top = y - canvas.paste.top;
    const inCanvas = x >= 0 && y >= 0 && x < width && y < height;
    const inContent = left >= 0 && top >= 0 && left < content.width && top < content.height;
    if (!inCanvas || !inContent) return new Uint8Array(3);
    return content.data.subarray((top * content.width + left) * 3, (top * content.width + left) * 3 + 3);
  };
  return canvas.views.map((view) => {
    const data = new Uint8Array(viewSize * viewSize * 3);
    for (let y = 0; y < viewSize; y++) {
      for (let x = 0; x < viewSize; x++) {
        data.set(pixel(view.left + x, view.top + y), (y * viewSize + x) * 3);
      }
    }
    return data;
  });
}

/** The raster's rows, each of which can be read once, from above. */
function rowsOnce({ data, width, height }: Raster): RowSource {
  let read = 0;
  return {
    width,
    height,
    readRows: (from, to, target) => {
      assert.ok(from >= read && to <= height, `rows ${from} to ${to} after ${read} of ${height}`);
      read = to;
      target.set(data.subarray(from * width * 3, to * width * 3));
    },
  };
}

const origin = { left: 0, top: 0 };
const square = (side: number) => ({ width: side, height: side });

describe('cutViews', () => {
  test('cuts what the whole canvas would show, wherever content and views lie', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const size = fc.record({ width: side, height: side });
    const offset = fc.record({
      left: fc.integer({ min: -30, max: 45 }),
      top: fc.integer({ min: -30, max: 45 }),
    });
    const canvas: fc.Arbitrary<Canvas> = fc.record({
      content: size,
      resample: fc.constantFrom<Resample>('bilinear', 'bicubic'),
      size,
      paste: offset,
      views: fc.array(offset, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(size, canvas, fc.integer({ min: 1, max: 20 }), (from, made, viewSize) => {
        const raster = noise(from, 2);
        const plain = plainViews(raster, made, viewSize);
        assert.deepEqual(cutViews(raster, [made], viewSize), plain);
        assert.deepEqual(cutViews(rowsOnce(raster), [made], viewSize), plain);
      }),
      { numRuns: 200 },
    );
  });

  test('gives the views of all canvases in order', () => {
    const raster = noise({ width: 50, height: 30 });
    const base: Canvas = {
      content: square(16),
      resample: 'bilinear',
      size: square(16),
      paste: origin,
      views: [origin],
    };
    const tiled: Canvas = {
      content: { width: 32, height: 20 },
      resample: 'bicubic',
      size: square(32),
      paste: { left: 0, top: 6 },
      views: [origin, { left: 16, top: 0 }, { left: 0, top: 16 }, { left: 16, top: 16 }],
    };
    const views = cutViews(raster, [base, tiled], 16);
    assert.deepEqual(views, [...plainViews(raster, base, 16), ...plainViews(raster, tiled, 16)]);
    assert.equal(new Set(views.map(({ buffer }) => buffer)).size, 5);
    assert.ok(views.every(({ buffer }) => buffer.byteLength === 16 * 16 * 3));
  });

  test('crops content that is pasted at a negative offset', () => {
    const raster = noise({ width: 24, height: 16 });
    const canvas: Canvas = {
      content: { width: 24, height: 16 },
      resample: 'bicubic',
      size: square(16),
      paste: { left: -4, top: 0 },
      views: [origin],
    };
    const [view] = cutViews(raster, [canvas], 16);
    assert.deepEqual(view!.subarray(0, 48), raster.data.subarray(12, 60));
  });

  test('copies a raster that has the size already', () => {
    const raster = noise(square(16));
    const [view] = cutViews(
      raster,
      [{ content: square(16), resample: 'bicubic', size: square(16), paste: origin, views: [origin] }],
      16,
    );
    assert.deepEqual(view, raster.data);
    assert.notEqual(view?.buffer, raster.data.buffer);
  });

  test('refuses a raster whose bytes do not fit its size', () => {
    assert.throws(() => cutViews({ width: 4, height: 4, data: new Uint8Array(47) }, [], 16), RangeError);
  });
});
