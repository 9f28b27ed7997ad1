import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal, ServiceAnswer } from '../../../src/cli/encode/service-connection.ts';
import { ServicePool } from '../../../src/cli/encode/service-pool.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';

type Outcome = { readonly answer: ServiceAnswer } | { readonly refusal: Refusal };

const yes: Outcome = { answer: { headers: {}, body: Buffer.from('yes') } };
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

test('gives up one request alone when others are answered meanwhile', async () => {
  const outcomes = [no(), no(), yes];
  const { ask } = poolOf(1000, () => outcomes.shift() ?? no(2000));
  const first = ask();
  const others = Promise.allSettled([ask(), ask()]);
  await assert.rejects(first, { code: 'deadline_exceeded' });
  await others;
});
