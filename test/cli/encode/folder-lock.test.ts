import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockFolder } from '../../../src/cli/encode/folder-lock.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { until } from '../../support/until.ts';
import { encodeWith, firstByte, folderWith, manifestOf, stubParts } from './encode-stub.ts';

/** The lock that this process would write, with another pid and start. */
async function lockOf(folder: string, pid: number, start?: string): Promise<string> {
  const { unlock } = await lockFolder(folder);
  const own = JSON.parse(await readFile(join(folder, 'manifest.lock'), 'utf8')) as Record<string, unknown>;
  await unlock();
  return JSON.stringify({ ...own, pid, start });
}

/** Above the kernel's largest pid. */
const noPid = 2 ** 22 + 1;

test('refuses a folder to which another run writes, which goes on unharmed', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2] });
  let second: Awaited<ReturnType<typeof encodeWith>> | undefined;
  const stub = stubParts(async (request) => {
    second ??= await encodeWith([at('in')], ['--out', at('out')]);
    return await firstByte(request);
  });
  assert.equal((await encodeWith([at('in')], ['--out', at('out')], stub)).exitCode, 0);
  assert.ok(second?.exitCode instanceof ServiceError);
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

test('refuses a folder while its holder on this host lives, however long that was suspended', async (context) => {
  const at = await folderWith(context, { x: [] });
  const { unlock } = await lockFolder(at('.'));
  await utimes(at('manifest.lock'), new Date(0), new Date(0));
  await assert.rejects(lockFolder(at('.')), { code: 'failed_precondition' });
  await unlock();
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('takes over the lock of a process of this host that has ended, even if its pid is in use again', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'out/x': [] });
  for (const text of [await lockOf(at('out'), noPid), await lockOf(at('out'), process.pid, '1')]) {
    await writeFile(at('out/manifest.lock'), text);
    assert.equal((await encodeWith([at('in')], ['--out', at('out')])).exitCode, 0);
  }
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'manifest.jsonl', 'x']);
});

test('takes over the lock of another host, or one that it cannot read, when it was silent for a minute', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'out/x': [] });
  // A container of the same host's name has pids of its own.
  const neighbour = JSON.stringify({ host: hostname(), space: 'another', pid: noPid });
  for (const text of [JSON.stringify({ host: 'elsewhere', pid: 1, start: '1' }), neighbour, '']) {
    await writeFile(at('out/manifest.lock'), text);
    const { exitCode } = await encodeWith([at('in')], ['--out', at('out')]);
    assert.ok(exitCode instanceof ServiceError);
    assert.match(
      exitCode.message,
      /^(?:Process \d+ on \S+|Another process) writes to .* run this again in a minute, or delete .*manifest\.lock\.$/,
    );
    const silentSince = new Date(Date.now() - 61_000);
    await utimes(at('out/manifest.lock'), silentSince, silentSince);
    assert.equal((await encodeWith([at('in')], ['--out', at('out')])).exitCode, 0);
  }
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'manifest.jsonl', 'x']);
});

test('gives a lock that was left to one of two processes that come for it', async (context) => {
  const at = await folderWith(context, { x: [] });
  await writeFile(at('manifest.lock'), await lockOf(at('.'), noPid));
  const outcomes = await Promise.allSettled([lockFolder(at('.')), lockFolder(at('.'))]);
  const locks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  assert.equal(locks.length, 1);
  await locks[0]!.unlock();
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('takes over a lock even after a process was killed while it did so', async (context) => {
  const at = await folderWith(context, { x: [], 'manifest.lock.takeover': [] });
  await writeFile(at('manifest.lock'), await lockOf(at('.'), noPid));
  await assert.rejects(lockFolder(at('.')), { message: /run this again in a minute, or delete / });
  const silentSince = new Date(Date.now() - 61_000);
  await utimes(at('manifest.lock.takeover'), silentSince, silentSince);
  const { unlock } = await lockFolder(at('.'));
  await unlock();
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('shows other hosts that it lives for as long as it holds a lock', async (context) => {
  const at = await folderWith(context, { x: [] });
  const { unlock } = await lockFolder(at('.'), 5);
  const longAgo = new Date(0);
  await utimes(at('manifest.lock'), longAgo, longAgo);
  await until(async () => (await stat(at('manifest.lock'))).mtimeMs > Date.now() - 60_000);
  await unlock();
  assert.deepEqual(await readdir(at('.')), ['x']);
});

test('leaves the lock of another process that has taken it over', async (context) => {
  const at = await folderWith(context, { x: [] });
  const { unlock } = await lockFolder(at('.'));
  await rm(at('manifest.lock'));
  await writeFile(at('manifest.lock'), 'of another');
  await unlock();
  assert.equal(await readFile(at('manifest.lock'), 'utf8'), 'of another');
});

test('stops encoding when another process has taken over the folder, and leaves it the lock', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2] });
  for (const take of [rm, async (path: string) => writeFile(path, 'of another')]) {
    const stub = stubParts(async ({ signal }) => {
      await take(at('out/manifest.lock'));
      if (signal.aborted) throw signal.reason;
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
      context.mock.timers.tick(10_000);
      await stopped;
      throw signal.reason;
    });
    const { exitCode } = await encodeWith([at('in')], ['--out', at('out')], stub);
    assert.ok(exitCode instanceof ServiceError, String(exitCode));
    assert.equal(exitCode.code, 'failed_precondition');
    assert.match(exitCode.message, /^Another process has taken over .+ Run the same command again once/);
  }
  assert.equal(await readFile(at('out/manifest.lock'), 'utf8'), 'of another');
});

/** The files of a folder and what is in them. */
async function filesOf(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(folder)).toSorted();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(`${folder}/${name}`)] as const)),
  );
}

for (const format of ['npy', 'webdataset']) {
  test(`changes nothing of what a run that has taken over the folder wrote as ${format}`, async (context) => {
    const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2], 'in/bad.jpg': [0] });
    const run = async (stub = stubParts()) =>
      encodeWith([at('in')], ['--out', at('out'), '--format', format], stub);
    const takeOver = async () => {
      await until(async () => (await readFile(at('out/manifest.jsonl'), 'utf8')).endsWith('\n'));
      await rm(at('out/manifest.lock'));
      assert.equal((await run()).exitCode, 1);
      return await filesOf(at('out'));
    };
    let takenOver: ReturnType<typeof takeOver> | undefined;
    // The first image is written before the others return to a folder that is no longer this run's.
    const stub = stubParts(async (request) => {
      const [image] = request.images;
      if (image?.kind === 'file' && image.bytes[0] !== 1) await (takenOver ??= takeOver());
      return await firstByte(request);
    });
    const { exitCode } = await run(stub);
    assert.ok(exitCode instanceof ServiceError, String(exitCode));
    assert.match(exitCode.message, /^Another process has taken over /);
    assert.deepEqual(await filesOf(at('out')), await takenOver);
  });
}

test('leaves its last shard as it is when another process takes over the folder at the end', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1] });
  const stub = stubParts(async (request) => ({
    ...(await firstByte(request)),
    release: () => writeFileSync(at('out/manifest.lock'), 'of another'),
  }));
  const { exitCode } = await encodeWith([at('in')], ['--out', at('out'), '--format', 'webdataset'], stub);
  assert.ok(exitCode instanceof ServiceError, String(exitCode));
  assert.match(exitCode.message, /^Another process has taken over /);
  assert.deepEqual((await readdir(at('out'))).toSorted(), [
    '000000.tar.part',
    'manifest.jsonl',
    'manifest.lock',
  ]);
});
