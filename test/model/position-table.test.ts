import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { resizePositions } from '../../src/model/position-table.ts';

const channels = 2;

/** A grid whose first channel is `value` of column and row and whose second is constant. */
function table(side: number, value: (x: number, y: number) => number, classTokens = 0) {
  const rows = Array.from({ length: side * side }, (_, i) => [value(i % side, Math.floor(i / side)), 7]);
  const head = Array.from({ length: classTokens }, () => [100, 200]);
  return { values: Float32Array.from([...head, ...rows].flat()), channels, classTokens };
}

const sides = fc.integer({ min: 1, max: 24 });

describe('resizePositions', () => {
  it("gives torch's numbers", () => {
    // 0, 1, 4, 9 to six samples; test/golden.test.ts holds whole models against transformers.
    const row = resizePositions(
      table(4, (x) => x * x),
      6,
    );
    const first = Array.from({ length: 6 }, (_, x) => row[x * channels]!);
    const expected = [-0.0868056, 0.21875, 1.4305556, 3.1527778, 6.78125, 9.4340278];
    for (const [x, value] of expected.entries()) assert.ok(Math.abs(first[x]! - value) < 1e-5, first.join());
  });

  it('leaves a table of the same side alone', () => {
    const same = table(5, (x, y) => x * y);
    assert.equal(resizePositions(same, 5), same.values);
  });

  it('keeps what is constant and the class token, at any side', () => {
    fc.assert(
      fc.property(sides, sides, (from, to) => {
        const resized = resizePositions(
          table(from, (x) => x, 1),
          to,
        );
        assert.equal(resized.length, (to * to + 1) * channels);
        assert.deepEqual([...resized.subarray(0, channels)], [100, 200]);
        for (let i = 1; i <= to * to; i += 1) assert.ok(Math.abs(resized[i * channels + 1]! - 7) < 1e-5);
      }),
    );
  });

  it('gives the transposed of a transposed table', () => {
    fc.assert(
      fc.property(sides, sides, (from, to) => {
        const value = (x: number, y: number) => Math.sin(x * 3 + y);
        const straight = resizePositions(table(from, value), to);
        const turned = resizePositions(
          table(from, (x, y) => value(y, x)),
          to,
        );
        for (let y = 0; y < to; y += 1) {
          for (let x = 0; x < to; x += 1) {
            const [a, b] = [straight[(y * to + x) * channels]!, turned[(x * to + y) * channels]!];
            assert.ok(Math.abs(a - b) < 1e-5);
          }
        }
      }),
    );
  });
});
