import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { measureEncoders } from '../../../src/cli/compare/encoder-figures.ts';
import { GramMatrix } from '../../../src/cli/compare/gram-matrix.ts';
import { linearCka } from '../../../src/cli/compare/linear-cka.ts';
import { nearestNeighbours, neighbourAgreement } from '../../../src/cli/compare/nearest-neighbours.ts';
import type { TokenSet } from '../../../src/tokens/colours/token-set.ts';
import { expectedTokens, goldenCases } from '../../support/golden.ts';

const numpy = JSON.parse(readFileSync('test/fixtures/encoder-agreement.json', 'utf8')) as readonly {
  readonly a: string;
  readonly b: string;
  readonly agreement: number;
  readonly cka: number;
  readonly biasedCka: number;
}[];

const { signal } = new AbortController();

function golden(name: string): TokenSet {
  const { shape, ...rest } = goldenCases.find(({ expected }) => expected === name)!;
  return { data: expectedTokens({ shape, ...rest }), count: shape[0]!, channels: shape[1]! };
}

/** Made-up tokens without repetition. */
function tokens(
  count: number,
  channels: number,
  value: (token: number, channel: number) => number,
): TokenSet {
  const data = Float32Array.from({ length: count * channels }, (_, at) =>
    value(Math.floor(at / channels), at % channels),
  );
  return { data, count, channels };
}

const noise = (seed: number) => (token: number, channel: number) =>
  ((Math.abs(Math.sin(token * 12.9898 + channel * 78.233 + seed) * 43_758.5453) % 1) - 0.5) * 2;

test("gives numpy's figures of transformers' tokens, of the same and of different widths", async () => {
  for (const { a, b, ...expected } of numpy) {
    const { pairs } = await measureEncoders([golden(a), golden(b)], signal);
    const found = pairs[0]!;
    assert.ok(Math.abs(found.agreement - expected.agreement) < 1e-9, `${a}: ${found.agreement}`);
    assert.ok(Math.abs(found.cka! - expected.cka) < 1e-9, `${a}: ${found.cka}`);
    assert.ok(Math.abs(found.biasedCka! - expected.biasedCka) < 1e-9, `${a}: ${found.biasedCka}`);
  }
});

test('finds an encoder the same as itself turned, stretched and, for CKA, moved', async () => {
  const original = tokens(101, 3, noise(1));
  const [sine, cosine] = [Math.sin(0.7), Math.cos(0.7)];
  const turned = tokens(101, 4, (token, channel) => {
    const [x, y, z] = original.data.subarray(token * 3, token * 3 + 3);
    return 4 * [cosine * x! - sine * y!, 0, z!, sine * x! + cosine * y!][channel]!;
  });
  const moved = { ...turned, data: turned.data.map((value) => value + 7) };
  const { pairs } = await measureEncoders([original, turned, moved], signal);
  assert.deepEqual(
    pairs.map(({ a, b }) => [a, b]),
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
  );
  assert.equal(pairs[0]!.agreement, 1);
  for (const { cka, biasedCka } of pairs) {
    assert.ok(Math.abs(cka! - 1) < 1e-5 && Math.abs(biasedCka! - 1) < 1e-5, `${cka} ${biasedCka}`);
  }
});

test('finds nothing in common between encoders that have nothing in common, where the biased CKA does', async () => {
  const [a, b] = [tokens(200, 150, noise(1)), tokens(200, 150, noise(2.5))];
  const { pairs, chance } = await measureEncoders([a, b], signal);
  const [{ agreement, cka, biasedCka }] = pairs as [(typeof pairs)[number]];
  assert.ok(Math.abs(agreement - chance) < 0.02, `${agreement} beside ${chance}`);
  assert.ok(Math.abs(cka!) < 0.05, `${cka}`);
  assert.ok(biasedCka! > 0.3, `${biasedCka}`);
});

test('orders neighbours by cosine, equals by their index, and leaves out the token itself', () => {
  const angles = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100];
  const circle = tokens(12, 2, (token, channel) => {
    const angle = (angles[token]! * Math.PI) / 180;
    // The length of a token does not count.
    return (token + 1) * [Math.cos(angle), Math.sin(angle)][channel]!;
  });
  const nearest = nearestNeighbours(GramMatrix.of(circle));
  assert.deepEqual([...nearest.subarray(0, 10)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual([...nearest.subarray(110, 114)], [10, 9, 8, 7]);
  assert.equal(neighbourAgreement(nearest, nearest), 1);
});

test('has no CKA for tokens that do not differ, and refuses too few tokens', async () => {
  const [same, other] = [tokens(20, 3, (_, channel) => channel), tokens(20, 5, noise(3))];
  const { debiased, biased } = linearCka(GramMatrix.of(same), GramMatrix.of(other));
  assert.deepEqual([debiased, biased], [undefined, undefined]);
  const few = tokens(10, 3, noise(1));
  await assert.rejects(measureEncoders([few, few], signal), {
    code: 'invalid_argument',
    message: /10 tokens in all/,
  });
});

test('stops between encoders when it is interrupted', async () => {
  const stopped = AbortSignal.abort(new Error('stopped'));
  await assert.rejects(measureEncoders([golden(numpy[0]!.a)], stopped), { message: 'stopped' });
});
