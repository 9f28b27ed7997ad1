import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The first log line with this message. Fails with all lines if there is none. */
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

test('npm start serves; after SIGTERM it answers the requests in flight and exits with 0', async (context) => {
  const cache = await mkdtemp(join(tmpdir(), 'start-test-'));
  context.after(() => rm(cache, { recursive: true }));
  const ports = ['--http-port', '0', '--grpc-port', '0'];
  const rest = ['--host', '127.0.0.1', '--warm-up-ms', '0', '--cache-dir', cache, '--log-format', 'json'];
  const child = spawn('npm', ['start', '--', ...ports, ...rest], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    // In a process group of its own, so that a failing test can kill all of it.
    detached: true,
  });
  const exited = once(child, 'exit');
  context.after(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  const lines: string[] = [];
  const { http } = await logLine(child, lines, 'ready');
  assert.match(String(http), /^http:\/\/127\.0\.0\.1:\d+$/);
  const image = await readFile(join(root, 'test/fixtures/images/document.png'));
  const answers = Array.from({ length: 12 }, async () => {
    const response = await fetch(`${String(http)}/teacher-encode`, {
      method: 'POST',
      body: image,
      headers: { 'cache-control': 'no-store' },
    });
    return { status: response.status, sizeBytes: (await response.arrayBuffer()).byteLength };
  });
  for (let inFlight = 0, asked = 0; inFlight < 12; asked++) {
    assert.ok(asked < 10_000, 'the requests never were in flight');
    const metrics = await (await fetch(`${String(http)}/metrics`)).text();
    inFlight = Number(/inflight_requests{transport="http"} (\d+)/.exec(metrics)?.[1]) - 1;
    const done = Number(
      /requests_total{transport="http",endpoint="teacher_encode",code="ok"} (\d+)/.exec(metrics)?.[1] ?? 0,
    );
    assert.ok(done < 12, 'all were answered before SIGTERM, so nothing was tested');
    inFlight += done;
  }
  child.kill('SIGTERM');
  await logLine(child, lines, 'stopped');
  assert.deepEqual(await exited, [0, null]);
  for (const answer of await Promise.all(answers)) {
    assert.deepEqual(answer, { status: 200, sizeBytes: 131_200 });
  }
});
