import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixedSizes, viewsToHandOver } from '../../src/inference/batch-policy.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';

test('the engine is never idle while a view waits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 64 }), (queued, largest) => {
      const views = viewsToHandOver({ queued, handedOver: 0, largest });
      assert.equal(views, Math.min(queued, largest));
    }),
  );
});

test('no third batch is handed over, however many views wait', () => {
  assert.equal(viewsToHandOver({ queued: 1000, handedOver: 2, largest: 4 }), 0);
});

test('a batch that is not full waits for the engine to free', () => {
  assert.equal(viewsToHandOver({ queued: 3, handedOver: 1, largest: 4 }), 0);
  assert.equal(viewsToHandOver({ queued: 4, handedOver: 1, largest: 4 }), 4);
});

test('where a view costs the same in any batch, the useful batch is 1', () => {
  const times = new BatchTimes();
  for (const views of [1, 2, 4, 8]) times.record(views, 100 * views);
  assert.equal(times.knee(32), 1);
});

test('where a batch has a fixed cost, the useful batch is the smallest near the best rate', () => {
  const times = new BatchTimes();
  for (const views of [1, 2, 4, 8, 16, 32]) times.record(views, 20 + 5 * views);
  assert.equal(times.knee(32), 32);
  assert.equal(times.knee(8), 8);
  const flat = new BatchTimes();
  for (const views of [1, 2, 4, 8, 16, 32]) flat.record(views, 2 + 5 * views);
  assert.equal(flat.knee(32), 8);
});

test('the useful batch is 1 until something is measured', () => {
  assert.equal(new BatchTimes().knee(32), 1);
});

test('a measured time moves slowly towards new measurements', () => {
  const times = new BatchTimes();
  times.record(1, 100);
  times.record(1, 200);
  assert.equal(times.estimateMs(1), 110);
});

test('sizes that were not measured are estimated from their neighbours', () => {
  const times = new BatchTimes();
  assert.equal(times.estimateMs(3), undefined);
  times.record(2, 20);
  assert.equal(times.estimateMs(1), 10);
  times.record(4, 50);
  assert.equal(times.estimateMs(3), 35);
  assert.equal(times.estimateMs(8), 100);
});

test('fixed sizes are the powers of two and the largest, and every queue is handed over in them', () => {
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
