import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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

/** The next entry of a log with this message. */
async function logged(lines: AsyncIterator<string>, message: string): Promise<Record<string, unknown>> {
  const seen: string[] = [];
  for (;;) {
    const next = await lines.next();
    if (next.done === true) return assert.fail(`no "${message}" in:\n${seen.join('\n')}`);
    seen.push(next.value);
    const entry = next.value.startsWith('{') ? (JSON.parse(next.value) as Record<string, unknown>) : {};
    if (entry['msg'] === message) return entry;
  }
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
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { http } = await logged(lines, 'ready');
  assert.match(String(http), /^http:\/\/127\.0\.0\.1:\d+$/);
  child.kill('SIGTERM');
  await logged(lines, 'stopped');
  assert.deepEqual(await exited, [0, null]);
});
