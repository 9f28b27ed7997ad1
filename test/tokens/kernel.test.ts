import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tokenKernel } from '../../src/tokens/kernel.ts';

/** What the kernel rounds these float32 values to, as float16 bits, and whether all are finite. */
function toHalf(values: Float32Array): { readonly halves: Uint16Array; readonly isFinite: boolean } {
  const target = values.length * 4 + 64;
  return tokenKernel.use(target * 2, (kernel) => {
    new Float32Array(kernel.memory.buffer, 0, values.length).set(values);
    new Float32Array(kernel.memory.buffer, values.length * 4, 8).fill(0);
    const isFinite = kernel.toHalf(0, target, values.length) === 1;
    return { halves: new Uint16Array(kernel.memory.buffer, target, values.length).slice(), isFinite };
  });
}

function toNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

test('keeps every finite float16 as it is', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, half) => half).filter(
    (half) => (half & 0x7c00) !== 0x7c00,
  );
  const { halves, isFinite } = toHalf(Float32Array.from(all, toNumber));
  assert.deepEqual(halves, all);
  assert.equal(isFinite, true);
});

test('rounds what lies half way to the even neighbour, and what lies beside it to the nearer', () => {
  for (let half = 0; half < 0x7bff; half++) {
    const middle = (toNumber(half) + toNumber(half + 1)) / 2;
    const around = Float32Array.of(middle, middle * (1 - 2 ** -20), middle * (1 + 2 ** -20));
    const even = half + (half & 1);
    assert.deepEqual([...toHalf(around).halves], [even, half, half + 1], `above ${half}`);
  }
});

test('tells of what float16 cannot hold', () => {
  for (const value of [65_520, -65_520, 1e30, Infinity, Number.NaN]) {
    const { halves, isFinite } = toHalf(Float32Array.of(1, value, 2));
    assert.equal(isFinite, false, String(value));
    assert.equal(halves[1]! & 0x7c00, 0x7c00, String(value));
    assert.deepEqual([halves[0], halves[2]], [0x3c00, 0x4000]);
  }
  assert.equal(toHalf(Float32Array.of(65_519)).isFinite, true);
});

test('blends and adds any number of values and touches none beyond', () => {
  const count = fc.integer({ min: 0, max: 21 });
  const share = fc.float({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(count, share, share, (values, weight, other) => {
      tokenKernel.use(4096, (kernel) => {
        const memory = new Float32Array(kernel.memory.buffer, 0, 1024);
        memory.forEach((_, index) => (memory[index] = index % 7));
        const before = memory.slice();
        kernel.add(0, weight, 2048, values);
        kernel.blend(0, 400, 800, 1200, weight, other, 0, 0.5, 3000, values);
        for (let i = 0; i < 1024; i++) {
          let want = before[i]!;
          if (i >= 512 && i < 512 + values) want += before[i - 512]! * weight;
          if (i >= 750 && i < 750 + values) {
            const at = i - 750;
            want += before[at]! * weight + before[100 + at]! * other + before[300 + at]! * 0.5;
          }
          assert.ok(Math.abs(memory[i]! - want) < 1e-5, `value ${i}`);
        }
      });
    }),
  );
});
