import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const built = existsSync(join(root, 'build/src/service.js'));

/** The first log line with this message, and where it went wrong when there is none. */
async function logLine(
  child: ChildProcess,
  lines: string[],
  message: string,
): Promise<Record<string, unknown>> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    const entry = line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : {};
    if (entry['msg'] === message) return entry;
  }
  return assert.fail(`no "${message}" in:\n${lines.join('\n')}`);
}

test('npm start serves, and passes SIGTERM on to a service that ends with 0', {
  skip: built ? false : 'src/service.ts is not there yet',
}, async (context) => {
  const cache = await mkdtemp(join(tmpdir(), 'start-test-'));
  context.after(() => rm(cache, { recursive: true }));
  const ports = ['--http-port', '0', '--grpc-port', '0'];
  const rest = ['--host', '127.0.0.1', '--warm-up-ms', '0', '--cache-dir', cache, '--log-format', 'json'];
  const child = spawn('npm', ['start', '--', ...ports, ...rest], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, so that nothing outlives a test that fails.
    detached: true,
  });
  const exited = once(child, 'exit');
  context.after(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  const lines: string[] = [];
  const { http } = await logLine(child, lines, 'ready');
  assert.match(String(http), /^http:\/\/127\.0\.0\.1:\d+$/);
  child.kill('SIGTERM');
  await logLine(child, lines, 'stopped');
  assert.deepEqual(await exited, [0, null]);
});
