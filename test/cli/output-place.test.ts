// Commands refuse a place that they cannot write to before they load anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireWritableFile } from '../../src/cli/write-whole.ts';
import { requireWritable } from '../../src/model/import/publish-folder.ts';
import { externalTest } from '../support/external.ts';
import { missingNamespaces, runUnshared } from '../support/namespaces.ts';
import { scratchFolder } from '../support/tiny-models.ts';

const flags = '-rm';

externalTest(
  'every command refuses a read-only folder before it reads a model or asks the hub',
  () => missingNamespaces(flags),
  async (t) => {
    const scratch = scratchFolder();
    t.after(() => scratch.remove());
    const full = join(scratch.path, 'full');
    mkdirSync(full);
    const image = 'test/fixtures/images/rocket.jpg';
    const encode = `encode ${image} --model no/model`;
    for (const [command, place] of [
      [`${encode} --out ${full}`, full],
      [`${encode} --out ${full}/below`, `${full}/below`],
      [`${encode} --out ${full}/all.safetensors`, full],
      [`${encode} --preview ${full}/a.png`, full],
      [`compare no/model no/other ${image} --out ${full}`, full],
      [`export-triton no/model --out ${full}`, full],
      [`import no/checkpoint --out ${full}/model`, `${full}/model`],
    ] as const) {
      const script = `mount -t tmpfs -o ro none "$FULL"; exec ${process.execPath} bin/siglip-hd.cjs ${command}`;
      const { exitCode, stderr } = await runUnshared(flags, script, { FULL: full, HF_HUB_OFFLINE: '1' });
      assert.equal(exitCode, 2, command);
      const refusal =
        /^siglip-hd: (?<path>.*) cannot be (?:made|written to): read-only file system\.\n$/.exec(stderr);
      assert.equal(refusal?.groups?.['path'], place, `${command}: ${stderr}`);
    }
  },
);

test('refuses a folder in the place of a file, and a file in the place of a folder', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const file = join(scratch.path, 'file');
  writeFileSync(file, '');
  const code = 'invalid_argument';
  await assert.rejects(requireWritableFile(scratch.path), {
    code,
    message: `${scratch.path} is a folder; name a file.`,
  });
  await assert.rejects(requireWritable(file), { code, message: /file cannot be made: .*file is a file\.$/ });
  await assert.rejects(requireWritableFile(join(file, 'x.png')), {
    code,
    message: /file cannot be made: .*is a file\.$/,
  });
});

test('leaves no folder behind when a command is refused for something else', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const image = 'test/fixtures/images/rocket.jpg';
  const tar = join(scratch.path, 'x.tar');
  writeFileSync(tar, '');
  const out = join(scratch.path, 'new/dir');
  for (const command of [
    ['export-triton', 'no/model', '--out', out],
    ['encode', tar, '--model', 'no/model', '--out', join(out, 'a.safetensors')],
    ['encode', image, '--model', 'no/model', '--out', out],
    ['encode', image, '--model', 'no/model', '--preview', join(out, 'a.png')],
    ['compare', 'no/model', 'no/other', image, '--out', out],
  ]) {
    const { status } = spawnSync(process.execPath, ['bin/siglip-hd.cjs', ...command], { encoding: 'utf8' });
    assert.equal(status, 2, command.join(' '));
    assert.deepEqual(readdirSync(scratch.path), ['x.tar'], command.join(' '));
  }
});
