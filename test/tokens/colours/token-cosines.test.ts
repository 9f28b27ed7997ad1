import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TokenCosines } from '../../../src/tokens/colours/token-cosines.ts';
import { tokenNorms } from '../../../src/tokens/colours/token-set.ts';

const numpy = JSON.parse(readFileSync('test/fixtures/token-colours.json', 'utf8')) as {
  readonly channels: number;
  readonly sets: readonly (readonly number[])[];
  readonly norms: readonly number[];
  readonly cosinesToThird: readonly number[];
};
const { channels } = numpy;
const data = Float32Array.from(numpy.sets[0]!);
const tokens = { data, count: data.length / channels, channels };

test("gives numpy's norms", () => {
  const norms = tokenNorms(tokens);
  assert.equal(norms.length, numpy.norms.length);
  for (const [token, norm] of numpy.norms.entries()) assert.ok(Math.abs(norms[token]! - norm) < 1e-12 * norm);
});

test("gives numpy's cosines of a token to all, and 1 to itself", () => {
  const cosines = new TokenCosines(tokens).toToken(2);
  for (const [token, cosine] of numpy.cosinesToThird.entries()) {
    assert.ok(Math.abs(cosines[token]! - cosine) < 1e-12, `${cosines[token]} is not ${cosine}`);
  }
  assert.ok(Math.abs(cosines[2]! - 1) < 1e-12);
});

test('gives 0 for tokens of zeros, and never more than 1', () => {
  const few = new TokenCosines({ data: Float32Array.of(0, 0, 3, 4, -6, -8), count: 3, channels: 2 });
  assert.deepEqual([...few.toToken(0)], [0, 0, 0]);
  assert.deepEqual([...few.toToken(1)], [0, 1, -1]);
  assert.deepEqual([...few.to([1e-3, 0])], [0, 0.6, -0.6]);
});

test('refuses vectors of other channels, and tokens that it does not have', () => {
  const cosines = new TokenCosines(tokens);
  assert.throws(() => cosines.to([1, 2]), RangeError);
  assert.throws(() => cosines.toToken(tokens.count), RangeError);
});
