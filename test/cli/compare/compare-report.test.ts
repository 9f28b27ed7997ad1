import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { roundedScale } from '../../../src/cli/compare/compare-report.ts';

test('rounds the end of a scale up to 1, 2 or 5 times a power of ten', () => {
  for (const [distance, expected] of [
    [0.115, 0.2],
    [0.2, 0.2],
    [0.21, 0.5],
    [0.51, 1],
    [1.3, 2],
    [0.000123, 0.0002],
    [0, 0.000001],
    [-1e-17, 0.000001],
  ] as const) {
    assert.equal(roundedScale(distance), expected);
  }
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 2, noNaN: true }), (distance) => {
      const rounded = roundedScale(distance);
      assert.ok(rounded >= distance && rounded <= distance * 2.5000001, `${distance} ${rounded}`);
    }),
  );
});
