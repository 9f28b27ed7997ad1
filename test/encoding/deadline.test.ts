import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mock, test } from 'node:test';
import { startDeadline } from '../../src/encoding/deadline.ts';
import { abortFailure } from '../../src/errors/abort.ts';

test('fires with deadline_exceeded after the limit', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { signal } = startDeadline(new AbortController().signal, 500);
  mock.timers.tick(499);
  assert.equal(signal.aborted, false);
  mock.timers.tick(1);
  assert.equal(abortFailure(signal).code, 'deadline_exceeded');
  assert.match(abortFailure(signal).message, /500 ms/);
});

test("fires with the caller's reason when the caller leaves, even before the start", () => {
  const caller = new AbortController();
  const { signal, end } = startDeadline(caller.signal, 60_000);
  caller.abort(new Error('gone'));
  assert.match(String(signal.reason), /gone/);
  end();
  const late = startDeadline(caller.signal, 60_000);
  assert.equal(late.signal.aborted, true);
  late.end();
});

test('never fires, and listens to nothing, once it has ended', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const caller = new AbortController();
  const { signal, end } = startDeadline(caller.signal, 500);
  end();
  mock.timers.tick(500);
  assert.equal(signal.aborted, false);
  assert.equal(getEventListeners(caller.signal, 'abort').length, 0);
});
