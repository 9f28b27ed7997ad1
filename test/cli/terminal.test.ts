import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import {
  interruptible,
  logSignal,
  onLogSignal,
  onStopSignal,
  type StopSignal,
  stopSignals,
} from '../../src/cli/terminal.ts';
import { abortFailure } from '../../src/errors/abort.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { fakeTerminal } from './fake-terminal.ts';

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

test('says that a command was interrupted and what to do, however its work notices', async () => {
  const noticing: ((signal: AbortSignal) => unknown)[] = [
    (signal) => Promise.reject(abortFailure(signal)),
    (signal) => signal.throwIfAborted(),
    (signal) => wait(60_000, undefined, { signal }),
    () => Promise.reject(new ServiceError('cancelled', 'The client went away.')),
  ];
  for (const notice of noticing) {
    const { terminal, interrupt } = fakeTerminal();
    const work = async (signal: AbortSignal) => {
      interrupt();
      await notice(signal);
    };
    await assert.rejects(interruptible(terminal, work, ' Run it again.'), {
      name: 'ServiceError',
      code: 'cancelled',
      message: 'Interrupted. Run it again.',
    });
  }
});

test('hands a failure on that no signal caused, and a result that came in spite of one', async () => {
  const { terminal, interrupt } = fakeTerminal();
  const failure = new Error('the disk is full');
  await assert.rejects(
    interruptible(terminal, () => Promise.reject(failure)),
    failure,
  );
  const finished = interruptible(terminal, async () => {
    interrupt();
    return 'done';
  });
  assert.equal(await finished, 'done');
});

test('switches the log to debug at run time, and back', () => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const signals = new EventEmitter();
  const stopSwitching = onLogSignal(signals, logger);
  logger.debug('not logged');
  signals.emit(logSignal);
  logger.debug('logged');
  signals.emit(logSignal);
  logger.debug('not logged');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ['log level switched', 'logged', 'log level switched'],
  );
  stopSwitching();
  assert.equal(signals.listenerCount(logSignal), 0);
});
