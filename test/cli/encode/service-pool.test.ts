import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal, ServiceAnswer } from '../../../src/cli/encode/service-connection.ts';
import { ServicePool } from '../../../src/cli/encode/service-pool.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';

type Outcome = { readonly answer: ServiceAnswer } | { readonly refusal: Refusal };

const yes: Outcome = { answer: { url: 'http://0', headers: {}, body: Buffer.from('yes') } };
const no = (retryAfterMs?: number): Outcome => ({
  refusal: { error: new ServiceError('overloaded', 'No room.'), isTemporary: true, retryAfterMs },
});
const never: Outcome = {
  refusal: { error: new ServiceError('invalid_argument', 'Not an image.'), isTemporary: false },
};

/** Services that answer by the time on a clock that waiting turns. */
function poolOf(retryMs: number, ...services: readonly ((nowMs: number) => Outcome)[]) {
  let nowMs = 0;
  const asked: { readonly service: number; readonly atMs: number }[] = [];
  const pool = new ServicePool(
    services.map((answer, service) => ({
      url: `http://${service}`,
      ask: async () => {
        asked.push({ service, atMs: nowMs });
        return answer(nowMs);
      },
    })),
    {
      retryMs,
      now: () => nowMs,
      wait: async (waitMs, signal) => {
        signal.throwIfAborted();
        nowMs += waitMs;
      },
    },
  );
  const ask = async () => pool.ask('/', undefined, new AbortController().signal);
  return { ask, asked };
}

test('sends a refused request again, to another service, and spares the one that refused', async () => {
  const { ask, asked } = poolOf(
    60_000,
    () => no(5000),
    () => yes,
  );
  for (let index = 0; index < 5; index += 1) assert.equal((await ask()).body.toString(), 'yes');
  assert.deepEqual(
    asked.map(({ service }) => service),
    [0, 1, 1, 1, 1, 1],
  );
});

test('waits as long as the only service says, and comes back to it', async () => {
  const { ask, asked } = poolOf(60_000, (nowMs) => (nowMs < 3000 ? no(3000) : yes));
  await ask();
  assert.equal(asked.length, 2);
  assert.ok(asked[1]!.atMs >= 3000 && asked[1]!.atMs <= 3750, `${asked[1]!.atMs}`);
});

test('waits longer and longer for a service that does not say', async () => {
  const { ask, asked } = poolOf(60_000, (nowMs) => (nowMs < 20_000 ? no() : yes));
  await ask();
  const waits = asked.slice(1).map(({ atMs }, index) => atMs - asked[index]!.atMs);
  for (const [index, waitMs] of waits.entries()) {
    const usualMs = Math.min(8000, 500 * 2 ** index);
    assert.ok(waitMs >= usualMs && waitMs <= 1.25 * usualMs, `${waitMs} after ${usualMs}`);
  }
});

test('counts requests that fail together as one failure', async () => {
  const { ask, asked } = poolOf(60_000, (nowMs) => (nowMs === 0 ? no() : yes));
  await Promise.all(Array.from({ length: 20 }, ask));
  assert.ok(Math.max(...asked.map(({ atMs }) => atMs)) < 15_000);
});

test('does not repeat what no service would take', async () => {
  const { ask, asked } = poolOf(60_000, () => never);
  await assert.rejects(ask(), { code: 'invalid_argument', message: 'Not an image.' });
  assert.equal(asked.length, 1);
});

test('gives up when no service answers anything for as long as it may try', async () => {
  const { ask, asked } = poolOf(10_000, () => no());
  await assert.rejects(ask(), {
    code: 'unavailable',
    message: /^No room\. Tried for \d+ s \(--retry-ms\)\.$/,
  });
  assert.ok(asked.length > 4);
});

test('sends a request for the last time when its time is up, and no later', async () => {
  for (const refusal of [no(), no(7000), no(60_000)]) {
    const { ask, asked } = poolOf(10_000, () => refusal);
    await assert.rejects(ask(), { message: 'No room. Tried for 10 s (--retry-ms).' });
    assert.equal(asked.at(-1)!.atMs, 10_000);
  }
});

/** A clock that turns to the next timer once nothing else can happen. */
function virtualClock() {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly fire: () => void }[] = [];
  const wait = async (waitMs: number) =>
    new Promise<void>((fire) => void timers.push({ atMs: nowMs + waitMs, fire }));
  /** Turns the clock until a promise settles. */
  const runUntil = async <Value>(promise: Promise<Value>): Promise<Value> => {
    let isSettled = false;
    void promise.catch(() => undefined).finally(() => (isSettled = true));
    for (let turn = 0; turn < 100_000; turn += 1) {
      await new Promise((resolve) => void setImmediate(resolve));
      if (isSettled) return await promise;
      const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      assert.ok(next, 'nothing is waited for');
      timers.splice(timers.indexOf(next), 1);
      nowMs = next.atMs;
      next.fire();
    }
    return assert.fail('it does not end');
  };
  return { now: () => nowMs, wait, runUntil };
}

/** Lanes that send requests one after another. Each takes the service 100 ms, except those for /bad. */
async function encodeMany(refusalMs: number, refuse: () => Outcome) {
  const { now, wait, runUntil } = virtualClock();
  const badAtMs: number[] = [];
  const ask = async (path: string): Promise<Outcome> => {
    if (path === '/bad') badAtMs.push(now());
    await wait(path === '/bad' ? refusalMs : 100);
    return path === '/bad' ? refuse() : yes;
  };
  const pool = new ServicePool([{ url: 'http://0', ask }], { retryMs: 600_000, now, wait });
  const { signal } = new AbortController();
  const paths = ['/good', '/good', '/good', '/good', '/good', '/bad', ...Array<string>(2000).fill('/good')];
  let failure: unknown;
  let goodMs = 0;
  const lane = async () => {
    for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
      await pool.ask(path, undefined, signal).catch((error: unknown) => (failure = error));
      if (path === '/good') goodMs = now();
    }
  };
  await runUntil(Promise.all(Array.from({ length: 4 }, lane)));
  return { failure, goodMs, badAtMs };
}

test('fails one request alone when others are answered meanwhile, and does not slow them down', async () => {
  for (const refusalMs of [1, 99, 5000]) {
    const { failure, goodMs, badAtMs } = await encodeMany(refusalMs, () => no());
    assert.ok(failure instanceof ServiceError);
    assert.equal(failure.code, 'deadline_exceeded');
    assert.equal(failure.message, 'No room. Refused 6 times, while other requests were answered.');
    // 2005 requests of 100 ms in 3 to 4 lanes.
    assert.ok(goodMs < 67_000, `${goodMs} ms for the others, with refusals after ${refusalMs} ms`);
    const waits = badAtMs.slice(1).map((atMs, index) => atMs - badAtMs[index]! - refusalMs);
    assert.equal(waits.length, 5);
    for (const [index, waitMs] of waits.entries()) {
      assert.ok(waitMs >= Math.min(8000, 500 * 2 ** index), `${waitMs} ms before it was sent again`);
    }
  }
});

test('goes on as soon as a service comes back that was lost in the middle', async () => {
  const { now, wait, runUntil } = virtualClock();
  let refused = 0;
  const isLost = () => now() > 1000 && now() < 31_000;
  const ask = async (): Promise<Outcome> => {
    await wait(isLost() ? 1 : 100);
    if (isLost()) refused += 1;
    return isLost() ? no() : yes;
  };
  const pool = new ServicePool([{ url: 'http://0', ask }], { retryMs: 600_000, now, wait });
  const { signal } = new AbortController();
  const lane = async () => {
    for (let index = 0; index < 20; index += 1) await pool.ask('/', undefined, signal);
  };
  await runUntil(Promise.all(Array.from({ length: 16 }, lane)));
  assert.ok(now() < 31_000 + 10_000 + 2000, `${now()} ms`);
  assert.ok(refused < 16 * 10, `${refused} requests while it was lost`);
});
