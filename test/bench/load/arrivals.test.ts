import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpoints, gapsMs } from '../../../bench/load/arrivals.ts';

const take = <Value>(count: number, next: () => Value): Value[] => Array.from({ length: count }, next);

test('Poisson arrivals come at their rate, at times that spread as an exponential does', () => {
  const gaps = take(20_000, gapsMs({ kind: 'poisson', perSecond: 200 }, 1));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  assert.ok(Math.abs(mean - 5) < 0.15, `a mean of ${mean} ms`);
  const longer = gaps.filter((gap) => gap > 5).length / gaps.length;
  assert.ok(Math.abs(longer - Math.exp(-1)) < 0.02, `${longer} are longer than the mean`);
});

test('arrivals follow from their seed', () => {
  const of = (seed: number) => take(10, gapsMs({ kind: 'poisson', perSecond: 10 }, seed));
  assert.deepEqual(of(7), of(7));
  assert.notDeepEqual(of(7), of(8));
});

test('a burst is due at one time, and the next one after its pause', () => {
  assert.deepEqual(take(7, gapsMs({ kind: 'bursts', calls: 3, everyMs: 50 }, 1)), [0, 0, 0, 50, 0, 0, 50]);
});

test('endpoints are asked in the proportions of the mix', () => {
  const asked = take(10_000, endpoints({ encode: 3, teacher: 1, anyres: 0 }, 1));
  const share = asked.filter((endpoint) => endpoint === 'encode').length / asked.length;
  assert.ok(Math.abs(share - 0.75) < 0.02, `encode is asked for in ${share} of all`);
  assert.ok(!asked.includes('anyres'));
  assert.throws(() => endpoints({ encode: 0 }, 1), RangeError);
});
