import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readInput } from '../../../src/cli/inputs/input-files.ts';
import { scratchFolder } from '../../support/tiny-models.ts';

test('says that a name is not UTF-8, which Node cannot pass to the system', async (context) => {
  const scratch = scratchFolder();
  context.after(() => scratch.remove());
  await writeFile(Buffer.from(join(scratch.path, 'a\xff.jpg'), 'latin1'), 'bytes');
  const [name = ''] = await readdir(scratch.path);
  await assert.rejects(readInput(join(scratch.path, name)), {
    message: 'its name is not UTF-8: rename the file.',
  });
});

test('reads a file, and says at once why it does not read anything else', async (context) => {
  const scratch = scratchFolder();
  context.after(() => scratch.remove());
  const at = (name: string) => join(scratch.path, name);
  await writeFile(at('a.jpg'), 'bytes');
  await mkdir(at('folder'));
  execFileSync('mkfifo', [at('pipe')]);
  assert.equal(Buffer.from(await readInput(at('a.jpg'))).toString(), 'bytes');
  for (const [name, message] of [
    ['folder', 'it is a folder.'],
    ['pipe', 'it is a pipe or a device, not a file.'],
    ['missing', 'no such file or directory.'],
  ] as const) {
    await assert.rejects(readInput(at(name)), { code: 'invalid_argument', message });
  }
});
