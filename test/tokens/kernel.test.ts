import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KernelLayout, type TokenKernel, withKernel } from '../../src/tokens/kernel.ts';
import { halfValue, nearestBfloat16, nearestHalf } from './scalar-halves.ts';

type Rounding = 'toFloat16' | 'toBfloat16';

/** Rounds in the kernel, from a buffer that is followed by NaN. */
function round(values: Float32Array, rounding: Rounding) {
  const memory = new KernelLayout();
  const source = memory.place(values.byteLength);
  const target = memory.place(values.length * 2);
  return withKernel(memory.sizeBytes, (kernel) => {
    const { buffer } = kernel.memory;
    new Float32Array(buffer, source, values.length + 8).fill(Number.NaN);
    new Float32Array(buffer, source, values.length).set(values);
    const largest = roundIn(kernel, rounding, source, target, values.length);
    return { bits: new Uint16Array(buffer.slice(target, target + values.length * 2)), largest };
  });
}

function roundIn(kernel: TokenKernel, rounding: Rounding, source: number, target: number, count: number) {
  return rounding === 'toFloat16'
    ? kernel.toFloat16(source, target, count)
    : kernel.toBfloat16(source, target, count);
}

const float32 = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0]!;
const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;
const next = (value: number) => float32(bitsOf(value) + 1);
const previous = (value: number) => float32(bitsOf(value) - 1);

describe('rounding to float16', () => {
  test('keeps every value that float16 can hold', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits).filter(
      (bits) => !Number.isNaN(halfValue(bits)),
    );
    assert.equal(all.length, 65_536 - 2046);
    assert.deepEqual(round(Float32Array.from(all, halfValue), 'toFloat16').bits, all);
  });

  test('rounds every tie to the even neighbour, and values beside a tie to their own side', () => {
    const values: number[] = [];
    const expected: number[] = [];
    for (let bits = 0; bits < 0x7c00; bits++) {
      const above = bits === 0x7bff ? 65_536 : halfValue(bits + 1);
      const tie = (halfValue(bits) + above) / 2;
      assert.equal(Math.fround(tie), tie);
      for (const sign of [1, -1]) {
        values.push(sign * tie, sign * previous(tie), sign * next(tie));
        const signBit = sign < 0 ? 0x8000 : 0;
        expected.push(...[bits + (bits & 1), bits, bits + 1].map((half) => half | signBit));
      }
    }
    assert.deepEqual(round(Float32Array.from(values), 'toFloat16').bits, Uint16Array.from(expected));
  });

  test('makes values that are too large, infinite or NaN infinite', () => {
    const values = [65_519.996, 65_520, 65_536, 1e10, 3.4e38, Infinity, -65_520, -Infinity, Number.NaN];
    const { bits } = round(Float32Array.from(values), 'toFloat16');
    assert.deepEqual(
      [...bits],
      [0x7bff, 0x7c00, 0x7c00, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0xfc00, bits[8]! & 0x8000 ? 0xfc00 : 0x7c00],
    );
  });

  test('equals a search for the nearest value, for any float32 and any count', () => {
    const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
      minLength: 1,
      maxLength: 40,
    });
    const near = fc.array(fc.float({ noNaN: true, min: -1, max: 1 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(floats, near), (values) => {
        const { bits } = round(Float32Array.from(values), 'toFloat16');
        assert.deepEqual([...bits], values.map(nearestHalf));
      }),
      { numRuns: 500 },
    );
  });
});

describe('rounding to bfloat16', () => {
  test('equals a plain implementation, for any float32 and any count', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 40 }), (values) => {
        const { bits } = round(Float32Array.from(values), 'toBfloat16');
        assert.deepEqual([...bits], values.map(nearestBfloat16));
      }),
      { numRuns: 500 },
    );
  });
});

test('the largest magnitude ignores what follows the values', () => {
  for (const count of [1, 2, 3, 4, 7, 8, 9, 16, 31]) {
    for (let at = 0; at < count; at++) {
      const values = Float32Array.from({ length: count }, (_, i) => (i === at ? -5 : 4));
      for (const rounding of ['toFloat16', 'toBfloat16'] as const) {
        assert.equal(round(values, rounding).largest, bitsOf(5));
      }
      const largest = withKernel(256, (kernel) => {
        new Float32Array(kernel.memory.buffer, 0, count + 8).fill(Number.NaN);
        new Float32Array(kernel.memory.buffer, 0, count).set(values);
        return kernel.largestMagnitude(0, count);
      });
      assert.equal(largest, bitsOf(5));
    }
  }
});
