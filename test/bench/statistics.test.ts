import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMet } from '../../bench/section.ts';
import { median, seededRandom } from '../../bench/statistics.ts';

test('takes the middle value, or the mean of the middle two', () => {
  assert.equal(median([3, 1, 10]), 3);
  assert.equal(median([4, 1, 3, 10]), 3.5);
  assert.ok(Number.isNaN(median([])));
});

test('does not call a figure that is not a number met', () => {
  assert.equal(isMet({ what: '', value: Number.NaN, limit: 'at most', bar: 1 }), false);
  assert.equal(isMet({ what: '', value: Number.NaN, limit: 'at least', bar: 1 }), false);
});

test('repeats the same random numbers for the same seed', () => {
  const [a, b] = [seededRandom(7), seededRandom(7)];
  const values = Array.from({ length: 1000 }, a);
  assert.deepEqual(values, Array.from({ length: 1000 }, b));
  assert.ok(values.every((value) => value >= 0 && value < 1));
  assert.ok(Math.abs(values.reduce((sum, value) => sum + value) / 1000 - 0.5) < 0.05);
});
