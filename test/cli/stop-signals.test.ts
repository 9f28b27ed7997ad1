import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { onStopSignal, type StopSignal, stopSignals } from '../../src/cli/stop-signals.ts';

function listen() {
  const signals = new EventEmitter();
  const clock = { nowMs: 0 };
  const calls: string[] = [];
  const stopListening = onStopSignal(signals, {
    now: () => clock.nowMs,
    stop: (signal) => calls.push(`stop ${signal}`),
    stopAtOnce: (signal) => calls.push(`at once ${signal}`),
  });
  const send = (signal: StopSignal) => signals.emit(signal, signal);
  return { signals, clock, calls, send, stopListening };
}

test('stops at the first signal and ends at once at the second', () => {
  const { clock, calls, send } = listen();
  send('SIGTERM');
  clock.nowMs = 2000;
  send('SIGINT');
  assert.deepEqual(calls, ['stop SIGTERM', 'at once SIGINT']);
});

test('stops at each of the signals, also when the terminal is closed', () => {
  for (const signal of stopSignals) {
    const { calls, send } = listen();
    send(signal);
    assert.deepEqual(calls, [`stop ${signal}`]);
  }
  assert.ok(stopSignals.includes('SIGHUP'));
});

test('takes a signal that npm passes on again for the same one', () => {
  const { clock, calls, send } = listen();
  send('SIGINT');
  clock.nowMs = 20;
  send('SIGINT');
  assert.deepEqual(calls, ['stop SIGINT']);
});

test('leaves no listener behind', () => {
  const { signals, stopListening } = listen();
  stopListening();
  assert.deepEqual(signals.eventNames(), []);
});
