import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AnswerMetadata } from '../../src/tokens/answer-metadata.ts';
import { until } from '../support/until.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const npyHeaderBytes = 128;

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

test('npm start serves two trained models; after SIGTERM it answers the requests in flight and exits with 0', async (context) => {
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
  assert.match(lines.join('\n'), /no --model is set.*no substitute for SigLIP-HD \(weights\/README\.md\)/);
  const listed = (await (await fetch(`${String(http)}/v1/models`)).json()) as {
    models: { name: string; trained: boolean; channels: number }[];
  };
  assert.deepEqual(
    listed.models.map(({ name, trained }) => [name, trained]),
    [
      ['nano-hd', true],
      ['nano-base', true],
    ],
  );
  const [{ channels } = { channels: 0 }] = listed.models;
  const image = await readFile(join(root, 'test/fixtures/images/document.png'));
  const answers = Array.from({ length: 12 }, async () => {
    const response = await fetch(`${String(http)}/teacher-encode`, {
      method: 'POST',
      body: image,
      headers: { 'cache-control': 'no-store' },
    });
    const metadata = JSON.parse(response.headers.get('tokens-meta') ?? '{}') as Partial<AnswerMetadata>;
    const sizeBytes = (await response.arrayBuffer()).byteLength;
    return { status: response.status, model: metadata.model?.name, sizeBytes };
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
    const sizeBytes = npyHeaderBytes + 1024 * channels * 2;
    assert.deepEqual(answer, { status: 200, model: 'nano-base', sizeBytes });
  }
});

test('code of requests is optimised, although that of the start is not', async (context) => {
  const cache = await mkdtemp(join(tmpdir(), 'start-test-'));
  context.after(() => rm(cache, { recursive: true }));
  const ports = ['--host=127.0.0.1', '--http-port=0', '--grpc-port=0'];
  const rest = ['--warm-up-ms=0', `--cache-dir=${cache}`, '--log-format=json'];
  const args = ['--trace-opt', 'bin/siglip-hd.cjs', 'serve', ...ports, ...rest];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let trace = '';
  child.stdout.on('data', (bytes: Buffer) => {
    trace += bytes.toString();
  });
  const http = () => /"http":"(http:[^"]+)"/.exec(trace)?.[1];
  await until(() => http() !== undefined);
  for (let asked = 0; asked < 3000; asked++) await (await fetch(`${http()}/healthz`)).text();
  child.kill('SIGINT');
  await closed;
  // V8 writes to stdout too.
  const [start, requests] = trace.slice(trace.indexOf('no --model is set')).split('"msg":"ready"');
  assert.ok(start !== undefined && requests !== undefined);
  assert.deepEqual(start.match(/completed optimizing .*/g), null);
  assert.match(requests, /completed optimizing /);
});
