import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { robustComponents } from '../../../src/tokens/colours/robust-components.ts';
import { TokenColours } from '../../../src/tokens/colours/token-colours.ts';
import { dot, type TokenSet } from '../../../src/tokens/colours/token-set.ts';

const numpy = JSON.parse(readFileSync('test/fixtures/token-colours.json', 'utf8')) as {
  readonly channels: number;
  readonly sets: readonly (readonly number[])[];
  readonly centre: readonly number[];
  readonly axes: readonly (readonly number[])[];
  readonly explained: readonly number[];
  readonly ranges: readonly (readonly [number, number])[];
  readonly painted: readonly (readonly number[])[];
};

function tokenSet(values: readonly number[], channels: number): TokenSet {
  return { data: Float32Array.from(values), count: values.length / channels, channels };
}

const sets = numpy.sets.map((values) => tokenSet(values, numpy.channels));

/** Made-up tokens around two directions, of which the first varies more. */
function wave(count: number, channels: number, seed = 1): TokenSet {
  const data = new Float32Array(count * channels);
  for (let token = 0; token < count; token++) {
    for (let i = 0; i < channels; i++) {
      const strong = 5 * Math.sin(token * 0.37 + seed) * Math.cos(i * 1.3);
      const weak = 2 * Math.cos(token * 0.011 + seed) * Math.sin(i * 0.7);
      data[token * channels + i] = 3 + strong + weak + 0.3 * Math.sin(token * 12.9898 + i * 78.233 + seed);
    }
  }
  return { data, count, channels };
}

function assertNear(found: ArrayLike<number>, expected: readonly number[], within: number): void {
  assert.equal(found.length, expected.length);
  for (const [index, value] of expected.entries()) {
    assert.ok(Math.abs(found[index]! - value) <= within, `${index}: ${found[index]} is not ${value}`);
  }
}

test("fits numpy's principal components of the tokens that are no outliers, jointly over all sets", () => {
  const { centre, components } = TokenColours.fit(sets);
  assertNear(centre, numpy.centre, 1e-9);
  assert.equal(components.length, 3);
  for (const [index, { axis, explained, range }] of components.entries()) {
    assertNear(axis, numpy.axes[index]!, 1e-7);
    assertNear([explained, range.low, range.high], [numpy.explained[index]!, ...numpy.ranges[index]!], 1e-6);
  }
});

test("paints each set in numpy's colours, outliers at the ends of the scale", () => {
  const colours = TokenColours.fit(sets);
  for (const [index, set] of sets.entries()) {
    assert.deepEqual([...colours.paint(set)], numpy.painted[index]);
  }
});

test('gives the same colours whatever a few tokens of extreme norm are', () => {
  const tokens = wave(400, 16);
  const calm = TokenColours.fit([tokens]).paint(tokens);
  const wild = { ...tokens, data: tokens.data.slice() };
  for (const token of [3, 100, 250, 333]) {
    for (let i = 0; i < 16; i++) wild.data[token * 16 + i]! *= 1000;
  }
  const painted = TokenColours.fit([wild]).paint(wild);
  const changed = Array.from(calm, (byte, at) => Math.abs(byte - painted[at]!)).filter((by) => by > 8);
  assert.ok(changed.length <= 4 * 3, `${changed.length} bytes changed`);
});

test('does not treat the few tokens that differ from a blank page as outliers', () => {
  // 90 in 100 tokens are a blank page.
  const data = Float32Array.from({ length: 100 * 4 }, (_, at) => {
    const [token, i] = [Math.floor(at / 4), at % 4];
    return token < 90 ? 1 : 1 + 4 * Math.sin(token * 1.7 + i);
  });
  const page = { data, count: 100, channels: 4 };
  const painted = TokenColours.fit([page]).paint(page);
  const seen = new Set(
    Array.from({ length: 100 }, (_, token) => String(painted.subarray(token * 3, token * 3 + 3))),
  );
  assert.ok(seen.size > 5, `${seen.size} colours`);
});

test('paints the same token in the same colour in every set', () => {
  const a = wave(60, 8);
  const b = wave(90, 8, 2);
  b.data.set(a.data.subarray(0, 8), 40 * 8);
  const colours = TokenColours.fit([a, b]);
  assert.deepEqual([...colours.paint(b).subarray(120, 123)], [...colours.paint(a).subarray(0, 3)]);
});

test('shares a basis between sets of the same channels, and only between them', () => {
  const [a, b, c] = TokenColours.fitEach([wave(20, 8), wave(20, 6), wave(30, 8, 2)]);
  assert.equal(a, c);
  assert.equal(b!.centre.length, 6);
  assert.throws(() => a!.paint(wave(3, 6)), RangeError);
  assert.throws(() => TokenColours.fit([wave(20, 8), wave(20, 6)]), RangeError);
});

test('paints the middle grey where tokens do not differ', () => {
  const same = tokenSet([1, 2, 3, 1, 2, 3, 1, 2, 3], 3);
  assert.deepEqual(
    [...TokenColours.fit([same]).paint(same)],
    Array.from({ length: 9 }, () => 128),
  );
  const line = tokenSet([0, 0, 3, 0, 6, 0], 2);
  const painted = TokenColours.fit([line]).paint(line);
  assert.deepEqual([...painted], [0, 128, 128, 128, 128, 128, 255, 128, 128]);
});

test('finds components of equal variance, at right angles', () => {
  const cross = [0, 1, 2, 3].flatMap((axis) =>
    [1, -1].flatMap((sign) => Array.from({ length: 4 }, (_, i) => (i === axis ? sign : 0))),
  );
  const { components } = robustComponents([tokenSet(cross, 4)], 3);
  assert.equal(components.length, 3);
  for (const [i, { axis, explained }] of components.entries()) {
    assert.ok(Math.abs(explained - 0.25) < 1e-9);
    for (const [j, other] of components.entries()) {
      assert.ok(Math.abs(dot(axis, other.axis) - (i === j ? 1 : 0)) < 1e-9);
    }
  }
});

test('finds the same colours of many tokens as of all of them, near enough for the eye', () => {
  const many = wave(9000, 24);
  const { components } = TokenColours.fit([many]);
  const half = { ...many, data: many.data.subarray(0, 2048 * 24), count: 2048 };
  const few = TokenColours.fit([half]).components;
  for (const index of [0, 1]) {
    assert.ok(Math.abs(dot(components[index]!.axis, few[index]!.axis)) > 0.99);
  }
});

test('refuses no tokens, broken ones, and tokens that are not finite', () => {
  assert.throws(() => TokenColours.fit([]), RangeError);
  assert.throws(() => TokenColours.fit([tokenSet([], 3)]), RangeError);
  assert.throws(() => TokenColours.fit([{ data: new Float32Array(5), count: 2, channels: 3 }]), RangeError);
  assert.throws(() => TokenColours.fit([tokenSet([1, Number.NaN, 3, 4], 2)]), RangeError);
});
