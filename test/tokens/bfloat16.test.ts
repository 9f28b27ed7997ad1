import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBfloat16 } from '../../src/tokens/token-tasks.ts';

const convert = (...values: number[]) => [
  ...new Uint16Array(toBfloat16(new Uint8Array(Float32Array.from(values).buffer)).buffer),
];

test('values that bfloat16 can hold stay the same', () => {
  assert.deepEqual(convert(0, 1, -2, Infinity), [0, 0x3f80, 0xc000, 0x7f80]);
});

test('other values round to the nearest, ties to even', () => {
  // 1 + 2^-8 lies halfway between 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
  assert.deepEqual(convert(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20), [0x3f80, 0x3f82, 0x3f81]);
});

test('NaN stays NaN', () => {
  const [half] = convert(Number.NaN);
  assert.ok((half! & 0x7f80) === 0x7f80 && (half! & 0x7f) !== 0);
});
