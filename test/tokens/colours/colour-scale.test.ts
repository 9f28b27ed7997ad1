import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colourOf, paintHeat } from '../../../src/tokens/colours/colour-scale.ts';

test('paints values from one end of a scale to the other, and those beyond an end as the end', () => {
  const values = Float64Array.of(-9, 2, 4, 6, 99);
  const expected = [0, 0, 0.5, 1, 1].flatMap((share) => colourOf(share).map(Math.round));
  assert.deepEqual([...paintHeat(values, { low: 2, high: 6 })], expected);
});

test('paints the middle of a scale without extent', () => {
  assert.deepEqual([...paintHeat([7], { low: 7, high: 7 })], colourOf(0.5).map(Math.round));
});
