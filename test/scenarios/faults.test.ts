// The whole service with a failing engine, which ends, throws, answers with NaN or never returns.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type Service, startService } from '../../src/service.ts';
import { engineFaults, faults } from '../support/faulty-engine.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

const scratch = scratchFolder();
const engineScript = new URL('../support/faulty-engine.js', import.meta.url);
let folder: string;
before(async () => {
  folder = await importFixture(scratch.path, 'siglip-tiny');
});
after(() => scratch.remove());

/** A .npy of 512 x 512 pixels of one grey: the size of a view, so that the engine sees exactly these pixels. */
function picture(level: number): Buffer {
  const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (512, 512, 3), }";
  const head = Buffer.alloc(128, 0x20);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(118, 8);
  head.write(header, 10, 'latin1');
  head[127] = 0x0a;
  return Buffer.concat([head, Buffer.alloc(512 * 512 * 3, level)]);
}

async function ask(url: string, level: number) {
  const answer = await fetch(`${url}/v1/encode?format=raw`, {
    method: 'POST',
    body: picture(level),
    headers: { 'cache-control': 'no-store' },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 200) return { code: 'ok', first: bytes[0] };
  return { code: (JSON.parse(bytes.toString()) as { code: string }).code, first: undefined };
}

async function start(engines = 1): Promise<{ service: Service; url: string; downs: string[] }> {
  const downs: string[] = [];
  const models = [{ name: 'tiny', folder }];
  // The threads of the engines get a copy of the environment.
  process.env['FAULT_FOLDER'] = mkdtempSync(join(scratch.path, 'faults-'));
  const config = serviceConfig({ models, engineScript, maxBatch: 4, engines });
  const service = await startService(config, pino({ level: 'silent' }), ({ end }) => downs.push(end));
  return { service, url: `http://127.0.0.1:${service.httpPort}`, downs };
}

for (const fault of ['exit', 'throw', 'notFinite'] as const) {
  test(`an engine that fails by "${fault}" under 16 clients fails only that image and keeps serving`, async (t) => {
    const { service, url, downs } = await start();
    t.after(() => service.close());
    const clients = Array.from({ length: 16 }, async (_, client) => {
      const outcomes: string[] = [];
      for (let turn = 0; turn < 6; turn++) {
        const isBad = client === 5 && turn % 3 === 1;
        const level = isBad ? faults[fault] : 1 + client;
        const { code, first } = await ask(url, level);
        outcomes.push(code);
        if (code === 'ok') assert.equal(first, level, 'each image has its own tokens');
        assert.equal(code, isBad ? 'internal' : 'ok');
      }
      return outcomes.length;
    });
    assert.deepEqual(
      await Promise.all(clients),
      Array.from({ length: 16 }, () => 6),
    );
    assert.deepEqual(await ask(url, 9), { code: 'ok', first: 9 });
    assert.deepEqual(downs, []);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const restarts = Number(
      /siglip_hd_engine_restarts_total\{model="tiny",engine="cpu"\} (\d+)/.exec(metrics)?.[1] ?? 0,
    );
    assert.equal(restarts > 0, fault === 'exit');
  });
}

test('images that end the engine one after the other do not end the service', async (t) => {
  const { service, url, downs } = await start();
  t.after(() => service.close());
  for (let sent = 0; sent < 6; sent++) assert.equal((await ask(url, faults.exit)).code, 'internal');
  assert.deepEqual(await ask(url, 7), { code: 'ok', first: 7 });
  assert.deepEqual(downs, []);
});

/** The counters of restarts, by engine. */
async function restartsOf(url: string): Promise<readonly number[]> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const counters = metrics.matchAll(/siglip_hd_engine_restarts_total\{model="tiny",engine="cpu#\d"\} (\d+)/g);
  return [...counters].map(([, restarts]) => Number(restarts));
}

for (const fault of ['exit', 'notFinite'] as const) {
  test(`one of two engines that fails by "${fault}" under 16 clients loses no request, and is replaced`, async (t) => {
    const { service, url, downs } = await start(2);
    t.after(() => service.close());
    const clients = Array.from({ length: 16 }, async (_, client) => {
      for (let round = 0; round < 6; round++) {
        const level = client === 5 && round === 1 ? engineFaults[fault] : 1 + client;
        assert.deepEqual(await ask(url, level), { code: 'ok', first: level });
      }
    });
    await Promise.all(clients);
    await until(async () => (await restartsOf(url)).toSorted((a, b) => a - b).join() === '0,1');
    await until(async () => (await (await fetch(`${url}/readyz`)).text()).includes('{"up":2,"total":2}'));
    assert.deepEqual(await ask(url, 9), { code: 'ok', first: 9 });
    assert.deepEqual(downs, []);
  });
}

/** The service in a process of its own. */
async function spawnService(t: TestContext, firstView = '0', flags = ['--engine-timeout-ms=1000']) {
  const fifo = join(scratch.path, `fifo-${process.hrtime.bigint()}`);
  execFileSync('mkfifo', [fifo]);
  const script = fileURLToPath(new URL('../support/faulty-main.js', import.meta.url));
  const args = [script, '--model', folder, '--max-batch=4', ...flags];
  const faultFolder = mkdtempSync(join(scratch.path, 'faults-'));
  const env = { ...process.env, HANG_FIFO: fifo, FAULT_FOLDER: faultFolder, FIRST_VIEW: firstView };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  t.after(() => child.kill('SIGKILL'));
  const lines: {
    msg: string;
    level: string;
    http?: string;
    enginesLeft?: number;
    err?: { message: string };
  }[] = [];
  const exited = once(child, 'exit');
  const url = await new Promise<string>((resolve) => {
    // The process may end before it is ready.
    void exited.then(() => resolve(''));
    createInterface(child.stdout).on('line', (line) => {
      lines.push(JSON.parse(line) as (typeof lines)[number]);
      const { msg, http } = lines.at(-1)!;
      if (msg === 'ready') resolve(http!);
    });
  });
  return { child, exited, url, lines };
}

for (const hang of ['hang', 'hangInNative'] as const) {
  test(`an engine that never returns, by "${hang}", ends the process once all callers are answered`, async (t) => {
    const { exited, url, lines } = await spawnService(t);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    const asked = [faults[hang], 1, 2, 3, 4, 5, 6, 7].map((level) => ask(url, level));
    for (const { code } of await Promise.all(asked)) assert.ok(code === 'unavailable' || code === 'ok', code);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
    const fatal = lines.filter(({ level }) => level === 'fatal').map(({ msg }) => msg);
    assert.deepEqual(fatal, [
      'the engine is stuck',
      'killing the process: an engine is stuck in a native call',
    ]);
    const reason = lines.find(({ msg }) => msg === 'the engine is stuck')?.err?.message;
    assert.match(String(reason), /did not finish a batch of . views within 1000 ms/);
  });
}

test('an engine that never returns from its first batch ends the process', async (t) => {
  // The limit of a first batch is ten times as long.
  const { exited, lines } = await spawnService(t, String(faults.hangInNative), ['--engine-timeout-ms=300']);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  assert.deepEqual(
    lines.filter(({ level }) => level === 'fatal').map(({ msg }) => msg),
    ['the engine is stuck', 'killing the process: an engine got stuck while the service started'],
  );
});

test('a stop signal ends a process whose engine never returns', async (t) => {
  // Long enough that the signal comes before the engine is stuck.
  const { child, exited, url, lines } = await spawnService(t, '0', ['--engine-timeout-ms=5000']);
  const asked = ask(url, faults.hangInNative);
  await until(async () => /state="admitted"\} 1\n/.test(await (await fetch(`${url}/metrics`)).text()));
  child.kill('SIGINT');
  assert.equal((await asked).code, 'unavailable');
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  assert.equal(lines.at(-1)?.level, 'fatal');
});

test('one of two engines that hangs loses no request, and the process serves on with the other', async (t) => {
  // Long enough that the other engine is not taken for stuck on a busy machine.
  const { child, exited, url, lines } = await spawnService(t, '0', [
    '--engines=2',
    '--engine-timeout-ms=5000',
  ]);
  const levels = [engineFaults.hang, 1, 2, 3, 4, 5, 6, 7];
  const answers = await Promise.all(levels.map((level) => ask(url, level)));
  assert.deepEqual(
    answers,
    levels.map((first) => ({ code: 'ok', first })),
  );
  await until(() => lines.some(({ msg }) => msg === 'the engine is stuck'));
  const ready = await fetch(`${url}/readyz`);
  assert.deepEqual(await ready.json(), { status: 'ready', engines: { up: 1, total: 2 } });
  const { level, enginesLeft } = lines.find(({ msg }) => msg === 'the engine is stuck')!;
  assert.deepEqual([level, enginesLeft], ['error', 1]);
  assert.deepEqual(await ask(url, 9), { code: 'ok', first: 9 });
  child.kill('SIGINT');
  assert.deepEqual(await exited, [null, 'SIGKILL'], 'nothing else ends a native call');
});
