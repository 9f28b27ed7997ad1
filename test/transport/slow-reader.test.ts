import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ReadingLimit } from '../../src/transport/slow-reader.ts';

/** One of 100 ms and 1,000 bytes a second, on a clock that the test moves. */
function limitOf(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let late = 0;
  const onLate = () => {
    late++;
  };
  const limit = new ReadingLimit({ graceMs: 100, bytesPerSecond: 1000, onLate, now: () => Date.now() });
  const pass = (ms: number) => t.mock.timers.tick(ms);
  /** Late when so much more time has passed, and not a millisecond before. */
  const assertLateAfter = (ms: number) => {
    pass(ms - 1);
    assert.equal(late, 0);
    pass(1);
    assert.equal(late, 1);
  };
  return { limit, late: () => late, pass, assertLateAfter };
}

test('an answer may be read in its grace and the time of its bytes, and no longer', (t) => {
  const { limit, assertLateAfter } = limitOf(t);
  limit.add(50);
  limit.start();
  assertLateAfter(150);
});

test('only the time in which the client is waited for counts', (t) => {
  const { limit, late, pass, assertLateAfter } = limitOf(t);
  for (let i = 0; i < 9; i++) {
    limit.start();
    pass(10);
    limit.stop();
    pass(1000);
  }
  assert.equal(late(), 0);
  limit.add(5);
  limit.start();
  limit.start();
  assertLateAfter(15);
});

test('what was read fast saves no time up', (t) => {
  const { limit, pass, assertLateAfter } = limitOf(t);
  limit.start();
  for (let i = 0; i < 50; i++) {
    limit.add(1000);
    pass(1);
    limit.read(1000);
  }
  limit.stop();
  limit.add(50);
  limit.start();
  assertLateAfter(150);
});

test('what is read while more waits leaves the rest its own time', (t) => {
  const { limit, pass, assertLateAfter } = limitOf(t);
  limit.add(300);
  limit.add(500);
  limit.start();
  pass(250);
  limit.read(300);
  assertLateAfter(600);
});
