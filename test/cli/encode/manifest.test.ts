import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type EncodedLine, Manifest, type Provenance } from '../../../src/cli/encode/manifest.ts';
import { Gate } from '../../support/gate.ts';
import { folderWith } from './encode-stub.ts';

const provenance: Provenance = {
  model: { name: 'stub', digest: 'sha256:0' },
  recipe: 'encode',
  options: {},
  format: 'npy',
};
const encoded: EncodedLine = {
  file: 'a.jpg',
  size: 1,
  sha256: 'ff',
  shape: [2, 1],
  output: 'a.npy',
  output_bytes: 132,
};
const line = `${JSON.stringify({ ...encoded, ...provenance })}\n`;
const held = async () => {};
const lost = async () => {
  throw new Error('lost');
};

test('opens the manifest of a folder that it has taken over while the other run fails', async (context) => {
  const at = await folderWith(context, { 'manifest.jsonl': [] });
  const path = at('manifest.jsonl');
  await writeFile(path, line);
  const suspended = new Gate();
  const isRead = new Gate();
  const other = Manifest.open(path, provenance, lost, async () => {
    isRead.open();
    await suspended.passed();
    return true;
  });
  await isRead.passed();
  const manifest = await Manifest.open(path, provenance, held, async () => {
    suspended.open();
    await assert.rejects(other, /^Error: lost$/);
    return true;
  });
  await manifest.close();
  assert.equal(await readFile(path, 'utf8'), line);
  assert.deepEqual(await readdir(at('.')), ['manifest.jsonl']);
});
