import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixedSizes, viewsToHandOver } from '../../src/inference/batch-policy.ts';

test('the engine is never idle while a view waits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 64 }), (queued, largest) => {
      const views = viewsToHandOver({ queued, handedOver: 0, largest });
      assert.equal(views, Math.min(queued, largest));
    }),
  );
});

test('the engine never has a third batch, however many views wait', () => {
  assert.equal(viewsToHandOver({ queued: 1000, handedOver: 2, largest: 4 }), 0);
});

test('a batch that is not full waits until the engine is free', () => {
  assert.equal(viewsToHandOver({ queued: 3, handedOver: 1, largest: 4 }), 0);
  assert.equal(viewsToHandOver({ queued: 4, handedOver: 1, largest: 4 }), 4);
});

test('fixed sizes are the powers of two and the largest, and every queue is served in them', () => {
  assert.deepEqual(fixedSizes(1), [1]);
  assert.deepEqual(fixedSizes(24), [1, 2, 4, 8, 16, 24]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.nat(200), (largest, waiting) => {
      const sizes = fixedSizes(largest);
      let queued = waiting;
      while (queued > 0) {
        const views = viewsToHandOver({ queued, handedOver: 0, largest, sizes });
        assert.ok(views > 0 && sizes.includes(views));
        queued -= views;
      }
    }),
  );
});
