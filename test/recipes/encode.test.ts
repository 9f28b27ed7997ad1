import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planEncode } from '../../src/recipes/encode.ts';
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

  test('counts 27 x 27 tokens of a model whose patches leave pixels over', () => {
    const plan = planEncode(
      { width: 5, height: 5 },
      { ...model, imageSize: 384, patchSize: 14, grid: { width: 27, height: 27 } },
    );
    assert.equal(plan.viewSize, 384);
    assert.deepEqual(plan.shape, [729, 48]);
  });

  test('refuses an image without pixels', () => {
    assert.throws(() => planEncode({ width: 7, height: 0 }, model), {
      code: 'invalid_argument',
      message: 'An image of 7 x 0 pixels cannot be; width and height are whole numbers from 1 on.',
    });
  });
});
