import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offer } from '../../../bench/load/offer.ts';
import { Tally } from '../../../bench/load/tally.ts';

const offer: Offer = {
  name: 'some',
  place: { transport: 'http', url: 'http://localhost' },
  arrivals: { kind: 'poisson', perSecond: 1 },
  mix: { encode: 1 },
  image: new Uint8Array(),
  seed: 1,
  settleMs: 1000,
  windowMs: 2000,
};

test('latency is from when a request was due, and lag is what the generator added', () => {
  const tally = new Tally(offer, 0);
  tally.send(1500, 1540);
  tally.end({ code: 'ok', sizeBytes: 10 }, 1500, 1700);
  const { latency, lag } = tally.result();
  assert.equal(Math.round(latency['ok']!.maxMs), 200);
  assert.equal(Math.round(lag.maxMs), 40);
});

test('what was due while it settled is counted, and not measured', () => {
  const tally = new Tally(offer, 0);
  tally.send(500, 500);
  tally.end({ code: 'ok', sizeBytes: 10 }, 500, 1600);
  const result = tally.result();
  assert.deepEqual(result.codes, { ok: 1 });
  assert.deepEqual(result.latency, {});
  assert.equal(result.goodput, 0.5);
});

test('an answer after the window is no goodput; its latency counts all the same', () => {
  const tally = new Tally(offer, 0);
  tally.send(2900, 2900);
  tally.end({ code: 'ok', sizeBytes: 10 }, 2900, 3100);
  const { goodput, latency } = tally.result();
  assert.equal(goodput, 0);
  assert.equal(latency['ok']!.count, 1);
});

test('each code has latencies of its own', () => {
  const tally = new Tally(offer, 0);
  for (const [code, endMs] of [
    ['ok', 1900],
    ['overloaded', 1502],
  ] as const) {
    tally.send(1500, 1500);
    tally.end({ code, sizeBytes: 0 }, 1500, endMs);
  }
  const { latency, codes } = tally.result();
  assert.deepEqual(codes, { ok: 1, overloaded: 1 });
  assert.equal(Math.round(latency['ok']!.p99Ms), 400);
  assert.equal(Math.round(latency['overloaded']!.p99Ms), 2);
});
