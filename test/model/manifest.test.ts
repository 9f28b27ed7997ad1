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

const parse = (json: string) => parseManifest(JsonObject.from(JSON.parse(json), 'model.json'));

test('reads the folder of an export that an earlier version composed to one graph, under its own digest', () => {
  assert.equal(ofVersion3.formatVersion, 3);
  assert.equal(ofVersion3.graphs, undefined);
  assert.deepEqual(Object.keys(ofVersion3.files), ['encoder.onnx', 'encoder.onnx_data']);
});

test('reads what it writes', () => {
  assert.deepEqual(parse(manifestJson(ofVersion3)), ofVersion3);
  assert.deepEqual(parse(manifestJson(ofVersion4)), ofVersion4);
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
