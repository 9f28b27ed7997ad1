import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeFailure } from '../../src/cli/exit-code.ts';
import { writeWhole } from '../../src/cli/write-whole.ts';

test('names the file that cannot be written, whatever the system refuses, and leaves nothing beside it', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'write-whole-test-'));
  context.after(() => rm(folder, { recursive: true }));
  const target = join(folder, 'a.npy');
  const failure = async (parts: Iterable<Uint8Array>) =>
    describeFailure(await writeWhole(target, parts).catch((error: unknown) => error)).text;
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write',
  });
  function* brokenOff() {
    yield Uint8Array.of(1);
    throw full;
  }
  assert.equal(await failure(brokenOff()), `${target}: no space left on device.`);
  assert.deepEqual(await readdir(folder), []);
  await mkdir(target);
  assert.equal(await failure([Uint8Array.of(1)]), `${target}: it is a folder.`);
  assert.deepEqual(await readdir(folder), ['a.npy']);
});
