import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareTokens, float32Values, summarise } from '../../src/tokens/compare-tokens.ts';
import { expectedTokens, goldenCases } from '../support/golden.ts';

const channels = 5;
const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
/** One to twenty tokens. */
const tokens = fc
  .integer({ min: 1, max: 20 })
  .chain((count) => fc.array(value, { minLength: count * channels, maxLength: count * channels }))
  .map((values) => Float32Array.from(values));
const pair = tokens.chain((a) =>
  fc.tuple(
    fc.constant(a),
    fc.array(value, { minLength: a.length, maxLength: a.length }).map((values) => Float32Array.from(values)),
  ),
);

function isZero(values: Float32Array, token: number): boolean {
  return values.subarray(token * channels, (token + 1) * channels).every((each) => each === 0);
}

test('finds tokens the same as themselves, to the last bit', () => {
  fc.assert(
    fc.property(tokens, (a) => {
      const { cosines, meanL1, largestDifference } = compareTokens(a, a.slice(), channels);
      assert.ok(cosines.every((cosine) => cosine === 1));
      assert.deepEqual([meanL1, largestDifference], [0, 0]);
    }),
  );
});

test('gives the same whichever side comes first, and cosines from -1 to 1', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const there = compareTokens(a, b, channels);
      assert.deepEqual(there, compareTokens(b, a, channels));
      assert.ok(there.cosines.every((cosine) => cosine >= -1 && cosine <= 1));
    }),
  );
});

test('negating a side negates the cosine, and scaling it changes nothing', () => {
  fc.assert(
    fc.property(pair, fc.integer({ min: 0, max: 8 }), ([a, b], exponent) => {
      const scale = 2 ** exponent;
      const { cosines } = compareTokens(a, b, channels);
      const longer = compareTokens(
        a.map((each) => each * scale),
        b,
        channels,
      ).cosines;
      const turned = compareTokens(
        a.map((each) => -each),
        b,
        channels,
      ).cosines;
      for (const [token, cosine] of cosines.entries()) {
        assert.ok(Math.abs(longer[token]! - cosine) <= 1e-12, `${longer[token]} and ${cosine}`);
        const areZero = isZero(a, token) && isZero(b, token);
        assert.equal(Math.abs(turned[token]! - (areZero ? 1 : -cosine)), 0);
      }
    }),
  );
});

test('compares each token with its own partner only: in another order the figures are in that order', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const reversed = (values: Float32Array) =>
        Float32Array.from({ length: values.length }, (_, index) => {
          const token = values.length / channels - 1 - Math.floor(index / channels);
          return values[token * channels + (index % channels)]!;
        });
      const forward = compareTokens(a, b, channels);
      const backward = compareTokens(reversed(a), reversed(b), channels);
      assert.deepEqual(backward.cosines.toReversed(), forward.cosines);
      assert.equal(backward.largestDifference, forward.largestDifference);
    }),
  );
});

test('reports the mean and the largest difference over all values', () => {
  const { meanL1, largestDifference } = compareTokens(
    Float32Array.of(1, 2, 3, 4),
    Float32Array.of(1, 2, 5, -4),
    2,
  );
  assert.deepEqual([meanL1, largestDifference], [2.5, 8]);
});

test('gives two zero tokens a cosine of 1, and a zero token and another a cosine of 0', () => {
  const { cosines } = compareTokens(Float32Array.of(0, 0, 0, 0, 3, 0), Float32Array.of(0, -0, 1, 2, 0, 9), 2);
  assert.deepEqual([...cosines], [1, 0, 0]);
});

test('refuses values that are not finite, on either side', () => {
  const fine = Float32Array.of(1, 2);
  for (const wrong of [Number.NaN, Infinity, -Infinity]) {
    const broken = Float32Array.of(1, wrong);
    assert.throws(() => compareTokens(fine, broken, 2), { code: 'internal' });
    assert.throws(() => compareTokens(broken, fine, 2), { code: 'internal' });
  }
});

test('takes the largest and the smallest float32 values', () => {
  const { cosines } = compareTokens(
    Float32Array.of(3.4e38, 3.4e38, 1e-45, 0),
    Float32Array.of(3.4e38, -3.4e38, 1e-45, 1e-45),
    2,
  );
  assert.equal(cosines[0], 0);
  assert.ok(Math.abs(cosines[1]! - Math.SQRT1_2) < 1e-12);
});

test('refuses sets of different lengths, of broken tokens, and empty ones', () => {
  for (const [a, b] of [
    [4, 6],
    [3, 3],
    [0, 0],
  ] as const) {
    assert.throws(() => compareTokens(new Float32Array(a), new Float32Array(b), 2), RangeError);
  }
});

test('weights each token the same when it summarises several comparisons', () => {
  fc.assert(
    fc.property(pair, pair, ([a1, b1], [a2, b2]) => {
      const join = (x: Float32Array, y: Float32Array) => Float32Array.from([...x, ...y]);
      const apart = summarise([compareTokens(a1, b1, channels), compareTokens(a2, b2, channels)]);
      const joined = summarise([compareTokens(join(a1, a2), join(b1, b2), channels)]);
      assert.ok(Math.abs(apart.meanL1 - joined.meanL1) <= 1e-9 * joined.meanL1);
      assert.deepEqual({ ...apart, meanL1: 0 }, { ...joined, meanL1: 0 });
    }),
  );
});

test("gives numpy's figures for what transformers answers with one view and with the teacher's five", () => {
  const tokensOf = (expected: string) =>
    expectedTokens(goldenCases.find((golden) => golden.expected === expected)!);
  const student = tokensOf('encode-rocket.jpg.npy');
  const teacher = tokensOf('teacher-rocket.jpg.npy');
  const { cosine, meanL1, largestDifference } = summarise([compareTokens(student, teacher, 32)]);
  const found = [cosine.mean, cosine.percentile1, cosine.minimum, meanL1, largestDifference];
  const numpy = [
    0.952876627005136, 0.8811500192017797, 0.8060603097521661, 0.24283153952812725, 1.6158957481384277,
  ];
  for (const [index, figure] of found.entries()) assert.ok(Math.abs(figure - numpy[index]!) < 1e-12);
});

test('reads float32 tensors whose parts lie anywhere in their buffers', () => {
  const whole = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  const shifted = new Uint8Array(13);
  shifted.set(whole, 1);
  const tensor = {
    shape: [3, 1],
    dtype: 'float32',
    parts: [shifted.subarray(1, 6), shifted.subarray(6)],
  } as const;
  assert.deepEqual([...float32Values(tensor)], [1, 2, 3]);
  assert.throws(() => float32Values({ ...tensor, dtype: 'float16' }), RangeError);
});
