import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { convertWeights } from '../../../src/model/import/weights.ts';
import { halfValue } from './run-graph.ts';

const halfBits = fc.integer({ min: 0, max: 0xffff });
const finiteHalf = halfBits.filter((half) => (half & 0x7c00) !== 0x7c00);

function bytes(values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer);
}

function converted(result: ReturnType<typeof convertWeights>): Uint8Array<ArrayBuffer> {
  if ('fault' in result) throw new Error(result.fault);
  return result.bytes;
}

function toHalf(value: number): number {
  return new Uint16Array(
    converted(convertWeights(bytes(Float32Array.of(value)), 'F32', 'float16')).buffer,
  )[0]!;
}

describe('convertWeights', () => {
  it('widens every float16 exactly, and narrows it back to itself', () => {
    const halves = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter(
      (half) => (half & 0x7c00) !== 0x7c00,
    );
    const floats = new Float32Array(converted(convertWeights(bytes(halves), 'F16', 'float32')).buffer);
    assert.ok(halves.every((half, i) => Object.is(halfValue(half), floats[i])));
    assert.deepEqual(
      new Uint16Array(converted(convertWeights(bytes(floats), 'F32', 'float16')).buffer),
      halves,
    );
    assert.deepEqual(
      new Uint16Array(converted(convertWeights(bytes(halves), 'F16', 'float16')).buffer),
      halves,
    );
  });

  it('widens bfloat16 exactly', () => {
    const stored = Uint16Array.of(0x3f80, 0xc040, 0x0001, 0x8000);
    const floats = new Float32Array(converted(convertWeights(bytes(stored), 'BF16', 'float32')).buffer);
    assert.deepEqual([...floats], [1, -3, 2 ** -133, -0]);
  });

  it('narrows to the nearest float16, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ min: -65_519, max: 65_519, noNaN: true }), (value) => {
        const half = toHalf(value);
        const error = Math.abs(halfValue(half) - value);
        for (const neighbour of [half - 1, half + 1]) {
          const other = Math.abs(halfValue(neighbour & 0xffff) - value);
          assert.ok(!(other < error) && !(other === error && other > 0 && (half & 1) === 1));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('narrows a value halfway between two float16 to the even one', () => {
    fc.assert(
      fc.property(
        finiteHalf.filter((half) => (half & 0x7fff) < 0x7bff),
        (half) => {
          const middle = (halfValue(half) + halfValue(half + 1)) / 2;
          assert.equal(toHalf(middle), half & 1 ? half + 1 : half);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('takes 65,519.99 and refuses 65,520 as float16', () => {
    assert.equal(toHalf(65_519.99), 0x7bff);
    for (const value of [65_520, -65_520, 3e38]) {
      const result = convertWeights(bytes(Float32Array.of(0, value)), 'F32', 'float16');
      assert.deepEqual(result, { fault: 'beyond float16' });
    }
    const result = convertWeights(bytes(Uint16Array.of(0x4780)), 'BF16', 'float16');
    assert.deepEqual(result, { fault: 'beyond float16' });
  });

  for (const to of ['float32', 'float16'] as const) {
    it(`refuses NaN and infinity of every dtype for ${to}`, () => {
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        assert.deepEqual(convertWeights(bytes(Float32Array.of(1, value)), 'F32', to), {
          fault: 'not finite',
        });
      }
      for (const half of [0x7c00, 0xfc00, 0x7e00, 0x7c01]) {
        assert.deepEqual(convertWeights(bytes(Uint16Array.of(half)), 'F16', to), { fault: 'not finite' });
      }
      for (const wide of [0x7f80, 0xff80, 0x7fc0]) {
        assert.deepEqual(convertWeights(bytes(Uint16Array.of(wide)), 'BF16', to), { fault: 'not finite' });
      }
    });
  }
});
