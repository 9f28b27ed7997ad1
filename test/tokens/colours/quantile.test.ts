import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, rangeOf, shareOf } from '../../../src/tokens/colours/quantile.ts';

test("has percentiles as numpy's are by default", () => {
  const sorted = Float64Array.of(1, 2, 4, 8);
  // numpy.percentile([1, 2, 4, 8], [0, 1, 50, 90, 100])
  for (const [share, expected] of [
    [0, 1],
    [0.01, 1.03],
    [0.5, 3],
    [0.9, 6.8],
    [1, 8],
  ] as const) {
    assert.ok(Math.abs(quantile(sorted, share) - expected) < 1e-12);
  }
  assert.equal(quantile(Float64Array.of(7), 0.01), 7);
});

test('takes the range of several lists as of one, without the values at its ends where asked', () => {
  const lists = [Float64Array.of(9, 1), Float64Array.of(5), new Float64Array(0)];
  assert.deepEqual(rangeOf(lists), { low: 1, high: 9 });
  assert.deepEqual(rangeOf(lists, 0.25), { low: 3, high: 7 });
  assert.deepEqual(rangeOf([]), { low: 0, high: 0 });
});

test('puts a value in the middle of a range without extent', () => {
  assert.equal(shareOf(3, { low: 2, high: 6 }), 0.25);
  assert.equal(shareOf(3, { low: 3, high: 3 }), 0.5);
});
