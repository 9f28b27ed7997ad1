import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonObject } from '../../src/model/json-object.ts';
import { manifestJson, parseManifest } from '../../src/model/manifest.ts';
import { fixture } from './import/fixtures.ts';

const path = fixture('model-folders/export-version-3.json');
const ofVersion3 = parseManifest(await JsonObject.read(path, 'the fixture is missing'));
const sha256 = 'ab'.repeat(32);
const { formatVersion: _, files: _files, ...fields } = ofVersion3;
const ofVersion4 = {
  ...fields,
  formatVersion: 4 as const,
  graphs: ['before.onnx', 'encoder.onnx', 'after.onnx'],
  files: Object.fromEntries(
    ['before.onnx', 'encoder.onnx', 'weights/a', 'after.onnx'].map((name) => [
      name,
      { sizeBytes: 1, sha256 },
    ]),
  ),
};

const ofVersion5 = {
  ...fields,
  formatVersion: 5 as const,
  resize: 'fit-squash' as const,
  fitSize: 2048,
  projector: {
    family: 'llava-next',
    digest: `sha256:${sha256}`,
    hiddenSize: 48,
    grid: { width: 4, height: 4 },
    anyGrid: true,
    newline: true,
  },
  anyres: { grids: [{ columns: 2, rows: 1 }], resample: 'lanczos' as const, maxTiles: 9 },
  files: Object.fromEntries(
    ['encoder.onnx', 'encoder.onnx_data', 'projector.onnx', 'newline.bin'].map((name) => [
      name,
      { sizeBytes: 1, sha256 },
    ]),
  ),
};

const ofVersion6 = {
  ...fields,
  formatVersion: 6 as const,
  features: 'penultimate' as const,
  outputs: { features: ['penultimate', '-3'] as const, classToken: true, pooledChannels: 24 },
  files: Object.fromEntries(
    ['encoder.onnx', 'encoder.onnx_data'].map((name) => [name, { sizeBytes: 1, sha256 }]),
  ),
};

const parse = (json: string) => parseManifest(JsonObject.from(JSON.parse(json), 'model.json'));

test('reads the folder of an export that an earlier version composed to one graph, under its own digest', () => {
  assert.equal(ofVersion3.formatVersion, 3);
  assert.equal(ofVersion3.graphs, undefined);
  assert.deepEqual(Object.keys(ofVersion3.files), ['encoder.onnx', 'encoder.onnx_data']);
});

test('reads what it writes', () => {
  assert.deepEqual(parse(manifestJson(ofVersion3)), ofVersion3);
  assert.deepEqual(parse(manifestJson(ofVersion4)), ofVersion4);
  assert.deepEqual(parse(manifestJson(ofVersion5)), ofVersion5);
  assert.deepEqual(parse(manifestJson(ofVersion6)), ofVersion6);
  const { projector, anyres, files } = ofVersion5;
  const both = { ...ofVersion6, projector, anyres, files };
  assert.deepEqual(parse(manifestJson(both)), both);
});

test('refuses graphs that are not files of the folder, or do not include the encoder', () => {
  for (const graphs of [
    undefined,
    [],
    ['before.onnx', 'after.onnx'],
    ['encoder.onnx', 'absent.onnx'],
    'encoder.onnx',
  ]) {
    assert.throws(() => parse(JSON.stringify({ ...ofVersion4, graphs })), {
      message: /model\.json: graphs must be/,
    });
  }
});

test('refuses files outside of the folder', () => {
  for (const name of ['../secret', '/etc/passwd', 'a/../../b', '..\\b', 'C:x', '', './x', 'a//b']) {
    const files = { ...ofVersion4.files, [name]: { sizeBytes: 1, sha256 } };
    assert.throws(() => parse(JSON.stringify({ ...ofVersion4, files })), {
      code: 'invalid_argument',
      message: /^model\.json: files: .* must be a file of the folder/,
    });
  }
});

test('the digest of an export changes with every file, its name, and the order of the graphs', () => {
  const digestOf = (change: object) =>
    (JSON.parse(manifestJson({ ...ofVersion4, ...change })) as { digest: string }).digest;
  const { 'weights/a': weights, ...others } = ofVersion4.files;
  const digests = [
    {},
    { graphs: ofVersion4.graphs.toReversed() },
    { files: { ...others, 'weights/b': weights! } },
    { files: { ...ofVersion4.files, 'weights/a': { sizeBytes: 1, sha256: 'cd'.repeat(32) } } },
  ].map(digestOf);
  assert.equal(new Set(digests).size, digests.length);
});

test('the digest of a folder with a projector changes with the projector, its AnyRes and its files', () => {
  const { projector, anyres, files } = ofVersion5;
  const changes = [
    {},
    { fitSize: 1024 },
    { projector: { ...projector, digest: `sha256:${'cd'.repeat(32)}` } },
    { projector: { ...projector, newline: false } },
    { anyres: { ...anyres, maxTiles: 0 } },
    { anyres: { ...anyres, grids: [{ columns: 1, rows: 2 }] } },
    { files: { ...files, 'newline.bin': { sizeBytes: 1, sha256: 'cd'.repeat(32) } } },
    { files: { ...files, 'projector.onnx': { sizeBytes: 1, sha256: 'cd'.repeat(32) } } },
  ];
  const digests = changes.map((change) => {
    const { digest } = JSON.parse(manifestJson({ ...ofVersion5, ...change })) as { digest: string };
    return digest;
  });
  assert.equal(new Set(digests).size, changes.length);
});

test('refuses a folder with a projector whose files are not all there', () => {
  for (const name of ['projector.onnx', 'newline.bin']) {
    const { [name]: _gone, ...files } = ofVersion5.files;
    assert.throws(() => parse(JSON.stringify({ ...ofVersion5, files })), {
      code: 'invalid_argument',
      message: new RegExp(`files: ${name.replace('.', '\\.')} must be a file of the folder`),
    });
  }
});

test('refuses outputs that do not begin with the default, that name a layer twice, or that the tower does not have', () => {
  for (const features of [
    ['-3', 'penultimate'],
    ['penultimate', '-3', '-3'],
    ['penultimate', '-99'],
    ['penultimate', 'x'],
    [],
  ]) {
    const json = manifestJson({
      ...ofVersion6,
      outputs: { ...ofVersion6.outputs, features: features as [] },
    });
    assert.throws(() => parse(json), {
      code: 'invalid_argument',
      message: /model\.json: outputs: features must be /,
    });
  }
});
