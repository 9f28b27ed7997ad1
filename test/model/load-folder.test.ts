import assert from 'node:assert/strict';
import promises, { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { loadModelFolder, readModelFolder } from '../../src/model/load-folder.ts';
import { importModel } from '../../src/model/import/import-model.ts';
import { fixture, temporaryFolder } from './import/fixtures.ts';
import type { TestContext } from 'node:test';

async function modelFolder(t: TestContext): Promise<string> {
  const out = join(await temporaryFolder(t), 'model');
  await importModel({
    source: fixture('siglip-tiny'),
    out,
    features: ['last_hidden_state'],
    precision: 'fp32',
  });
  return out;
}

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 5]! ^= 1;
  await writeFile(path, bytes);
}

describe('loadModelFolder', () => {
  it('names the model after its folder unless told otherwise', async (t) => {
    const folder = await modelFolder(t);
    assert.equal((await loadModelFolder(folder)).name, 'model');
    assert.equal((await loadModelFolder(folder, 'student')).name, 'student');
  });

  it('says that a folder does not exist, rather than that it is no model folder', async (t) => {
    const folder = join(dirname(await modelFolder(t)), 'nope');
    await assert.rejects(loadModelFolder(folder), {
      code: 'invalid_argument',
      message: `${folder} does not exist; "siglip-hd import" makes a model folder.`,
    });
    const near = join(dirname(folder), 'modle');
    await assert.rejects(loadModelFolder(near), {
      message: `${near} does not exist; "siglip-hd import" makes a model folder. Did you mean "model"?`,
    });
  });

  it('reads a folder without a look at its neighbours, of which there may be many', async (t) => {
    const folder = await modelFolder(t);
    const listing = t.mock.method(promises, 'readdir');
    syncBuiltinESMExports();
    t.after(() => {
      listing.mock.restore();
      syncBuiltinESMExports();
    });
    await loadModelFolder(folder);
    await readModelFolder(folder);
    assert.equal(listing.mock.callCount(), 0);
    await assert.rejects(readModelFolder(join(dirname(folder), 'modle')), /Did you mean "model"\?$/);
    assert.equal(listing.mock.callCount(), 1);
    await assert.rejects(
      readModelFolder(join(folder, 'model.json')),
      /model\.json is a file: give its folder\.$/,
    );
  });

  const damages: readonly [string, string, (path: string) => Promise<void>, RegExp][] = [
    ['a folder without model.json', 'model.json', rm, /is not a model folder: model\.json is missing/],
    [
      'a model.json that is no JSON',
      'model.json',
      (path) => truncate(path, 40),
      /^\/.*\/model\/model\.json is not valid JSON/,
    ],
    [
      'a folder without the graph',
      'encoder.onnx',
      rm,
      /\/model\/encoder\.onnx is missing; import the model again\.$/,
    ],
    [
      'shortened weights',
      'encoder.onnx_data',
      (path) => truncate(path, 4096),
      /encoder\.onnx_data has 4096 bytes, not/,
    ],
    ['changed weights', 'encoder.onnx_data', flipByte, /encoder\.onnx_data .* SHA-256 differs/],
    ['a changed graph', 'encoder.onnx', flipByte, /encoder\.onnx .* SHA-256 differs/],
  ];
  for (const [what, file, damage, message] of damages) {
    it(`refuses ${what}`, async (t) => {
      const folder = await modelFolder(t);
      await damage(join(folder, file));
      await assert.rejects(loadModelFolder(folder), { code: 'invalid_argument', message });
    });
  }

  const fields: readonly [string, unknown, RegExp][] = [
    [
      'formatVersion',
      1,
      /^\/.*\/model\/model\.json: formatVersion is 1, and this version of siglip-hd reads 3, 4, 5 and 6: import the model again\./,
    ],
    ['architecture', 'blip', /architecture must be siglip or clip, not "blip"/],
    ['resize', 'stretch', /resize must be squash or crop or fit-squash, not "stretch"/],
    ['towerDigest', '12', /towerDigest must be 64 hex digits/],
    ['trained', 'yes', /trained must be true or false/],
    ['imageSize', 0, /imageSize must be/],
    ['patchSize', 1_000, /patchSize must be/],
    ['channels', null, /channels must be a whole number .* not missing/],
    ['layers', 1.5, /layers must be/],
    ['grid', { width: 32, height: 31 }, /grid: height must be a whole number from 32 to 32, not 31/],
    [
      'features',
      'pooled',
      /features must be a hidden state of 3 layers: last_hidden_state, pre_norm, penultimate, or a number down to -4, not "pooled"/,
    ],
    ['precision', 'int4', /precision must be fp32 or fp16/],
    ['resample', 'hamming', /resample must be bilinear or bicubic or lanczos/],
    ['resample', 'bicubic', /model\.json was changed after the import: .* Import the model again\./],
    ['towerDigest', '0'.repeat(64), /model\.json was changed after the import/],
    ['normalisation', { rescale: 1, mean: [0, 0, 0] }, /normalisation: std must be a list of three numbers/],
    ['files', {}, /files: encoder\.onnx must be a file of the folder, not missing\./],
    ['provenance', undefined, /provenance is not a JSON object/],
    ['digest', 'sha256:00', /was changed after the import/],
  ];
  for (const [field, value, message] of fields) {
    it(`refuses a model.json whose ${field} is ${JSON.stringify(value) ?? 'missing'}`, async (t) => {
      const folder = await modelFolder(t);
      const path = join(folder, 'model.json');
      const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(path, JSON.stringify({ ...json, [field]: value }));
      await assert.rejects(loadModelFolder(folder), { code: 'invalid_argument', message });
    });
  }
});
