import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colourOf, paintGrey, paintHeat } from '../../../src/tokens/colours/colour-scale.ts';

test('paints values from one end of a scale to the other, and those beyond an end as the end', () => {
  const values = Float64Array.of(-9, 2, 4, 6, 99);
  const range = { low: 2, high: 6 };
  assert.deepEqual(
    [...paintGrey(values, range)],
    [0, 0, 0, 0, 0, 0, 128, 128, 128, 255, 255, 255, 255, 255, 255],
  );
  const expected = [0, 0, 0.5, 1, 1].flatMap((share) => colourOf(share).map(Math.round));
  assert.deepEqual([...paintHeat(values, range)], expected);
});

test('paints the middle of a scale without extent', () => {
  assert.deepEqual([...paintGrey([7], { low: 7, high: 7 })], [128, 128, 128]);
});
