import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { ServiceError } from '../../../src/errors/service-error.ts';
import { callSignal } from '../../../src/transport/grpc/call-signal.ts';

class FakeCall extends EventEmitter {
  cancelled = false;
  readonly #deadline: Date | number;

  constructor(deadline: Date | number) {
    super();
    this.#deadline = deadline;
  }

  getDeadline(): Date | number {
    return this.#deadline;
  }
}

function codeOf(signal: AbortSignal): string {
  return (signal.reason as ServiceError).code;
}

test('fires at once for a call that was cancelled before it was heard', () => {
  const call = new FakeCall(Infinity);
  call.cancelled = true;
  const { signal, release } = callSignal(call);
  assert.equal(codeOf(signal), 'cancelled');
  release();
});

test('takes a cancellation at the deadline for the deadline', () => {
  const call = new FakeCall(new Date(Date.now() + 5));
  const { signal, release } = callSignal(call);
  call.emit('cancelled');
  assert.equal(codeOf(signal), 'deadline_exceeded');
  release();
});

test('fires by its own timer when nothing else tells of the deadline', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const { signal } = callSignal(new FakeCall(1_000_300));
  t.mock.timers.tick(299);
  assert.equal(signal.aborted, false);
  t.mock.timers.tick(1);
  assert.equal(codeOf(signal), 'deadline_exceeded');
});

test('waits for ever without a deadline, and with one beyond the longest timer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const signals = [Infinity, 2 ** 45].map((deadline) => callSignal(new FakeCall(deadline)).signal);
  t.mock.timers.tick(3_600_000);
  for (const signal of signals) assert.equal(signal.aborted, false);
});

test('fires no more once released', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const call = new FakeCall(1_000_300);
  const { signal, release } = callSignal(call);
  release();
  t.mock.timers.tick(1000);
  call.emit('cancelled');
  assert.equal(signal.aborted, false);
});
