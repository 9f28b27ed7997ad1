import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { limitReading } from '../../src/transport/slow-reader.ts';

const pace = { graceMs: 30_000, bytesPerSecond: 64 * 1024 };

test('a client may take the grace, and the time that its answer takes at the slowest pace', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let late = 0;
  limitReading(128 * 1024, pace, () => late++);
  mock.timers.tick(31_999);
  assert.equal(late, 0);
  mock.timers.tick(1);
  assert.equal(late, 1);
});

test('an answer that was read in time is never late', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let late = 0;
  const wasRead = limitReading(1, pace, () => late++);
  wasRead();
  mock.timers.tick(60_000);
  assert.equal(late, 0);
});
