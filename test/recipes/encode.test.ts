import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { planEncode } from '../../src/recipes/encode.ts';
import type { Size } from '../../src/recipes/plan.ts';
import { model } from './model.ts';

describe('planEncode', () => {
  test("squashes any image to one view with the model's filter", () => {
    for (const image of [
      { width: 640, height: 427 },
      { width: 1, height: 9000 },
    ]) {
      const square = { width: 512, height: 512 };
      const origin = { left: 0, top: 0 };
      assert.deepEqual(planEncode(image, { ...model, resample: 'bicubic' }), {
        recipe: 'encode',
        viewSize: 512,
        viewGrid: { width: 32, height: 32 },
        channels: 48,
        canvases: [{ content: square, resample: 'bicubic', size: square, paste: origin, views: [origin] }],
        assembly: { kind: 'single' },
        shape: [1024, 48],
        grid: { width: 32, height: 32 },
      });
    }
  });

  test('crops the middle of the longer side, as CLIP does', () => {
    const clip = { ...model, imageSize: 336, resize: 'crop' } as const;
    const canvas = (image: Size) => planEncode(image, clip).canvases[0]!;
    // 336 * 640 / 427 = 503.6..., truncated; (503 - 336) / 2 = 83.5, floored.
    assert.deepEqual(canvas({ width: 640, height: 427 }), {
      content: { width: 503, height: 336 },
      resample: 'bilinear',
      size: { width: 336, height: 336 },
      paste: { left: -83, top: 0 },
      views: [{ left: 0, top: 0 }],
    });
    assert.deepEqual(canvas({ width: 427, height: 640 }).paste, { left: 0, top: -83 });
  });

  test('a crop fills the whole view, whatever the image', () => {
    const side = fc.integer({ min: 1, max: 20_000 });
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 1024 }), (width, height, imageSize) => {
        const plan = planEncode({ width, height }, { ...model, imageSize, resize: 'crop' });
        const { content, paste } = plan.canvases[0]!;
        for (const [at, size] of [
          [paste.left, content.width],
          [paste.top, content.height],
        ] as const) {
          assert.ok(at <= 0 && at + size >= imageSize);
          const [before, after] = [-at, at + size - imageSize];
          assert.ok(after - before === 0 || after - before === 1);
        }
        assert.equal(Math.min(content.width, content.height), imageSize);
      }),
    );
  });

  test('has 27 x 27 tokens for a model whose patches do not fill the image', () => {
    const plan = planEncode(
      { width: 5, height: 5 },
      { ...model, imageSize: 384, patchSize: 14, grid: { width: 27, height: 27 } },
    );
    assert.equal(plan.viewSize, 384);
    assert.deepEqual(plan.shape, [729, 48]);
  });
});
