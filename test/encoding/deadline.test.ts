import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mock, test } from 'node:test';
import { withDeadline } from '../../src/encoding/deadline.ts';

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );

test('fires with deadline_exceeded when the time is over', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const late = withDeadline(new AbortController().signal, 500, untilAborted);
  mock.timers.tick(500);
  await assert.rejects(late, { code: 'deadline_exceeded', message: /500 ms/ });
});

test("fires with the caller's reason when the caller leaves, also before the start", async () => {
  const caller = new AbortController();
  const left = withDeadline(caller.signal, 60_000, untilAborted);
  caller.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  await withDeadline(caller.signal, 60_000, async (signal) => assert.equal(signal.aborted, true));
});

test('leaves no listener on the caller’s signal', async () => {
  const { signal } = new AbortController();
  assert.equal(await withDeadline(signal, 60_000, async () => 'done'), 'done');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
