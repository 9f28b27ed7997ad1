import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { pino } from 'pino';
import { logSignal, onLogSignal } from '../../src/cli/log-signal.ts';

test('each signal switches the log between its level and debug, and says so', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const source = new EventEmitter();
  const stop = onLogSignal(source, logger);
  logger.debug('unseen');
  source.emit(logSignal);
  logger.debug('seen');
  source.emit(logSignal);
  logger.debug('unseen');
  assert.deepEqual(
    lines.map(({ msg, logLevel }) => logLevel ?? msg),
    ['debug', 'seen', 'warn'],
  );
  stop();
  assert.equal(source.listenerCount(logSignal), 0);
});
