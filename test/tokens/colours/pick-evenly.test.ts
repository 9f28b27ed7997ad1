import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pickEvenly } from '../../../src/tokens/colours/pick-evenly.ts';

test('picks everything where there is room', () => {
  assert.deepEqual([...pickEvenly(3, 3)], [0, 1, 2]);
  assert.deepEqual([...pickEvenly(0, 3)], []);
});

test('picks one index from each equal stretch, ascending and without repetition', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5000 }), fc.integer({ min: 1, max: 5000 }), (count, atMost) => {
      fc.pre(count > atMost);
      const picked = pickEvenly(count, atMost);
      assert.equal(picked.length, atMost);
      for (const [i, index] of picked.entries()) {
        assert.ok(
          index >= Math.floor((i * count) / atMost) && index < Math.floor(((i + 1) * count) / atMost),
        );
      }
    }),
  );
});

test('reaches every column of a grid, however the picks and the grid line up', () => {
  for (const width of [16, 24, 32]) {
    const columns = new Set(
      Array.from(pickEvenly(width * width * 10, (width * width * 10) / 2), (at) => at % width),
    );
    assert.equal(columns.size, width);
  }
});
