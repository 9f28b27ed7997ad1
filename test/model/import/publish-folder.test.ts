import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importModel } from '../../../src/model/import/import-model.ts';
import { makeFolder } from '../../../src/model/import/publish-folder.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';
import { externalTest } from '../../support/external.ts';
import { missingNamespaces, runUnshared } from '../../support/namespaces.ts';
import { scratchFolder } from '../../support/tiny-models.ts';

const checkpoint = 'test/fixtures/siglip-tiny';
const files = ['encoder.onnx', 'encoder.onnx_data', 'model.json'];
const flags = '-rm';
const missing = () => missingNamespaces(flags);

/** Runs lines of shell where `folder` is a volume: mounts are gone afterwards, and what they hold is listed at the end. */
async function onVolume(folder: string, mount: string, ...commands: readonly string[]) {
  const script = [mount, ...commands, 'cd /; ls -A "$VOLUME"'].join('\n');
  const cli = `${process.execPath} bin/siglip-hd.cjs import ${checkpoint} --out ${folder}`;
  const { exitCode, stdout, stderr } = await runUnshared(flags, script, { VOLUME: folder, IMPORT: cli });
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.trim().split('\n');
  return { listed: lines.filter((line) => !line.startsWith(folder)), stderr };
}

externalTest('fills a mounted volume in place, and replaces its model with --force', missing, async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const volume = join(scratch.path, 'volume');
  mkdirSync(volume);
  const mount = 'mount -t tmpfs none "$VOLUME"; mkdir "$VOLUME/lost+found"';
  const { listed, stderr } = await onVolume(
    volume,
    mount,
    '$IMPORT',
    '$IMPORT',
    '$IMPORT --force --precision fp16',
  );
  assert.deepEqual(listed.toSorted(), [...files, 'lost+found'].toSorted());
  assert.match(stderr, /^siglip-hd: .* exists already; choose another folder, or .*--force\.\n$/);
});

externalTest('leaves nothing on a volume when an import fails', missing, async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const volume = join(scratch.path, 'volume');
  mkdirSync(volume);
  const small = 'mount -t tmpfs -o size=64k none "$VOLUME"';
  const { listed, stderr } = await onVolume(volume, small, '$IMPORT || true');
  assert.deepEqual(listed, [''], 'the volume is as empty as before');
  assert.match(stderr, /^siglip-hd: .*no space left on device\.\n$/);
});

externalTest('fills an empty folder whose parent is read-only', missing, async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const volume = join(scratch.path, 'parent/volume');
  mkdirSync(volume, { recursive: true });
  const parent = join(scratch.path, 'parent');
  const mount = [
    'mount -t tmpfs none "$VOLUME"',
    `mount --rbind ${parent} ${parent}`,
    `mount -o remount,bind,ro ${parent}`,
  ].join(' && ');
  const { listed, stderr } = await onVolume(volume, mount, '$IMPORT');
  assert.deepEqual([listed, stderr], [files, '']);
});

test('fills a folder that a symbolic link leads to', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const [folder, link] = [join(scratch.path, 'folder'), join(scratch.path, 'link')];
  mkdirSync(folder);
  symlinkSync(folder, link);
  await importModel({ source: checkpoint, out: link, features: ['last_hidden_state'], precision: 'fp32' });
  assert.deepEqual(readdirSync(folder).toSorted(), files);
  assert.equal((await loadModelFolder(link)).name, 'link');
});

test('refuses a folder that is a link to nothing before any work', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const link = join(scratch.path, 'link');
  symlinkSync(join(scratch.path, 'unmounted'), link);
  const refusal = {
    code: 'invalid_argument',
    message: /\/link is a link to a folder that does not exist\.$/,
  };
  await assert.rejects(makeFolder(link), refusal);
  await assert.rejects(makeFolder(join(link, 'inner')), refusal);
  const options = { source: checkpoint, features: ['last_hidden_state'], precision: 'fp32' } as const;
  let writtenBytes = 0;
  const onProgress = (doneBytes: number) => void (writtenBytes = doneBytes);
  for (const force of [false, true]) {
    await assert.rejects(importModel({ ...options, out: link, force, onProgress }), refusal);
  }
  await assert.rejects(importModel({ ...options, out: join(link, 'inner'), onProgress }), refusal);
  assert.equal(writtenBytes, 0);
  assert.deepEqual(readdirSync(scratch.path), ['link']);
});
