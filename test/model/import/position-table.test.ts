import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { resizePositions } from '../../../src/model/import/position-table.ts';
import { fixture } from './fixtures.ts';
import { largestDifference } from './run-graph.ts';

interface TorchCase {
  readonly from: number;
  readonly to: number;
  readonly channels: number;
  readonly values: readonly number[];
  readonly expected: readonly number[];
}

const cases = JSON.parse(await readFile(fixture('torch-bicubic.json'), 'utf8')) as readonly TorchCase[];

describe('resizePositions', () => {
  for (const { from, to, channels, values, expected } of cases) {
    it(`gives torch's bicubic of ${from} x ${from} positions to ${to} x ${to}`, () => {
      const table = { values: Float32Array.from(values), channels, classTokens: 0 };
      const difference = largestDifference(resizePositions(table, to), expected);
      assert.ok(difference <= 2e-6, `${difference}`);
    });
  }

  it('keeps the class position and resizes the others as without it', () => {
    const { to, channels, values } = cases[0]!;
    const patches = Float32Array.from(values);
    const whole = Float32Array.from([...Array.from({ length: channels }, (_, i) => 100 + i), ...values]);
    const resized = resizePositions({ values: whole, channels, classTokens: 1 }, to);
    assert.deepEqual(resized.subarray(0, channels), whole.subarray(0, channels));
    const alone = resizePositions({ values: patches, channels, classTokens: 0 }, to);
    assert.deepEqual(resized.subarray(channels), alone);
  });

  it('gives the table itself at its own side', () => {
    const side = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(side, fc.integer({ min: 1, max: 4 }), fc.integer(), (grid, channels, seed) => {
        const values = Float32Array.from({ length: grid * grid * channels }, (_, i) => Math.sin(seed + i));
        assert.deepEqual(resizePositions({ values, channels, classTokens: 0 }, grid), values);
      }),
    );
  });

  it('keeps a constant table constant at any side', () => {
    const side = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(side, side, fc.constantFrom(0, 1), (from, to, classTokens) => {
        const values = new Float32Array(from * from + classTokens).fill(0.75);
        const resized = resizePositions({ values, channels: 1, classTokens }, to);
        assert.deepEqual(resized, new Float32Array(to * to + classTokens).fill(0.75));
      }),
    );
  });
});
