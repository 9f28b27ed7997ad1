import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLogger, type LoggerOptions } from '../../src/telemetry/logger.ts';

function logged(context: TestContext, options: LoggerOptions, isTTY: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'logger-test-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'log');
  const fd = openSync(file, 'w');
  const logger = createLogger(options, { fd, isTTY });
  logger.debug('unseen');
  logger.warn({ http: 'http://0.0.0.0:8080', ms: { decode: 1 } }, 'ready');
  const text = readFileSync(file, 'utf8');
  closeSync(fd);
  return text;
}

test('writes JSON with the level as a word and the time in ISO 8601 where there is no terminal', (context) => {
  const line = logged(context, { logLevel: 'info', logFormat: 'auto' }, false);
  const { time, ...rest } = JSON.parse(line) as { time: string };
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(rest, { level: 'warn', http: 'http://0.0.0.0:8080', ms: { decode: 1 }, msg: 'ready' });
});

test('writes one line an entry for people, on a terminal, or anywhere when asked to', (context) => {
  const onTerminal = logged(context, { logLevel: 'info', logFormat: 'auto' }, true);
  assert.match(onTerminal, /WARN.*ready/);
  assert.equal(onTerminal.trimEnd().split('\n').length, 1);
  assert.ok(onTerminal.includes('\u001b['), 'in colour');
  const elsewhere = logged(context, { logLevel: 'info', logFormat: 'pretty' }, false);
  assert.match(
    elsewhere,
    /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: ready \{"http":"http:\/\/0\.0\.0\.0:8080","ms":\{"decode":1\}\}\n$/,
  );
  assert.ok(!elsewhere.includes('\u001b['), 'without colour');
});

test('writes JSON on a terminal when asked to', (context) => {
  const line = logged(context, { logLevel: 'trace', logFormat: 'json' }, true);
  assert.equal(line.trimEnd().split('\n').length, 2);
  assert.match(line, /"level":"debug"/);
});
