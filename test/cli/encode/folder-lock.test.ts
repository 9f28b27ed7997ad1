import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { encodeFiles } from '../../../src/cli/encode/encode.ts';
import { lockFolder } from '../../../src/cli/encode/folder-lock.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { encodeWith, firstByte, folderWith, manifestOf, settingsOf, stubParts } from './encode-stub.ts';

const { signal } = new AbortController();

test('refuses a folder to which another run writes, which goes on unharmed', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2] });
  let second: Awaited<ReturnType<typeof encodeWith>> | undefined;
  const stub = stubParts(async (request) => {
    second ??= await encodeWith([at('in')], ['--out', at('out')]);
    return await firstByte(request);
  });
  assert.equal((await encodeWith([at('in')], ['--out', at('out')], stub)).exitCode, 0);
  assert.ok(second?.exitCode instanceof ServiceError, String(second?.exitCode));
  assert.equal(second.exitCode.code, 'failed_precondition');
  assert.equal(
    second.exitCode.message,
    `Process ${process.pid} on ${hostname()} writes to ${at('out')}. Wait until it has ended, or encode into another folder.`,
  );
  assert.equal(second.seen.encoded, 0);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'b.npy', 'manifest.jsonl']);
  assert.equal((await manifestOf(at('out'))).length, 2);
  assert.equal((await encodeWith([at('in')], ['--out', at('out')])).exitCode, 0, 'it is free again');
});

test('takes over a lock that nobody renews, whoever left it and whatever is in it', async (context) => {
  const at = await folderWith(context, { x: [] });
  for (const text of ['Process 1 on elsewhere\n', '{"host":"elsewhere"}', '']) {
    await writeFile(at('manifest.lock'), text);
    const { unlock } = await lockFolder(at('.'), signal, 5);
    await unlock();
  }
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('gives a lock that was left to one of the processes that come for it', async (context) => {
  const at = await folderWith(context, { 'manifest.lock': [] });
  const outcomes = await Promise.allSettled([1, 2, 3].map(async () => lockFolder(at('.'), signal, 50)));
  const locks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  assert.equal(locks.length, 1);
  await locks[0]!.unlock();
  assert.deepEqual(await readdir(at('.')), []);
});

test('takes a lock that its holder gives up meanwhile', async (context) => {
  const at = await folderWith(context, { x: [] });
  const first = await lockFolder(at('.'), signal);
  const second = lockFolder(at('.'), signal, 50);
  await first.unlock();
  await (await second).unlock();
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('can be interrupted while it watches the lock of another process', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'out/manifest.lock': [] });
  const { terminal, interrupt } = fakeTerminal();
  const { parts, seen } = stubParts();
  const createEncoder: typeof parts.createEncoder = async (...args) => {
    setImmediate(interrupt);
    return await parts.createEncoder(...args);
  };
  const settings = settingsOf(['--out', at('out')]);
  await assert.rejects(encodeFiles([at('in')], settings, terminal, { ...parts, createEncoder }), {
    code: 'cancelled',
    message: 'Interrupted. Run the same command again to resume.',
  });
  assert.deepEqual([seen.encoded, seen.closed], [0, 1]);
});

test('leaves the lock of another process that has taken it over', async (context) => {
  const at = await folderWith(context, { x: [] });
  const { unlock } = await lockFolder(at('.'), signal);
  await rm(at('manifest.lock'));
  await writeFile(at('manifest.lock'), 'of another');
  await unlock();
  assert.equal(await readFile(at('manifest.lock'), 'utf8'), 'of another');
});

test('stops encoding when another process has taken over the folder, and leaves it the lock', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2] });
  for (const take of [rm, async (path: string) => writeFile(path, 'of another')]) {
    const stub = stubParts(async (request) => {
      await take(at('out/manifest.lock'));
      const stopped = new Promise<void>((resolve) =>
        request.signal.addEventListener('abort', () => resolve()),
      );
      context.mock.timers.tick(10_000);
      await stopped;
      throw request.signal.reason;
    });
    const { exitCode } = await encodeWith([at('in')], ['--out', at('out')], stub);
    assert.ok(exitCode instanceof ServiceError, String(exitCode));
    assert.equal(exitCode.code, 'failed_precondition');
    assert.match(exitCode.message, /^Another process has taken over .+ Run the same command again once/);
  }
  assert.equal(await readFile(at('out/manifest.lock'), 'utf8'), 'of another');
});
