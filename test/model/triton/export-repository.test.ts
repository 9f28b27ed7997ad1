import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readGraphPorts } from '../../../src/inference/graph-ports.ts';
import { loadModelFolder, modelFiles } from '../../../src/model/load-folder.ts';
import { exportRepository, type TritonExport } from '../../../src/model/triton/export-repository.ts';
import { importFixture } from '../../support/tiny-models.ts';
import { importLayers } from '../../support/layers-golden.ts';
import { importVlm } from '../../support/vlm-golden.ts';
import { fixture, temporaryFolder } from '../import/fixtures.ts';
import { importExport } from '../import/onnx/test-exports.ts';

async function exported(folder: string, out: string, options: Partial<TritonExport> = {}) {
  const model = await loadModelFolder(folder, 'hd');
  const rest = { name: 'hd', maxBatch: 8, tensorrt: false, force: false, readPorts: readGraphPorts };
  const names = await exportRepository(model, await modelFiles(folder), { out, ...rest, ...options });
  return { model, names, config: (name: string) => readFileSync(join(out, name, 'config.pbtxt'), 'utf8') };
}

test('a model of one graph is one model of the repository, with its files as hard links', async (t) => {
  const scratch = await temporaryFolder(t);
  const folder = await importFixture(scratch, 'siglip-tiny');
  const out = join(scratch, 'repository');
  const { model, names, config } = await exported(folder, out);
  assert.deepEqual(names, ['hd']);
  assert.equal(
    config('hd'),
    `name: "hd"
backend: "onnxruntime"
default_model_filename: "encoder.onnx"
max_batch_size: 8
input [ { name: "pixels" data_type: TYPE_UINT8 dims: [ 512, 512, 3 ] } ]
output [ { name: "tokens" data_type: TYPE_FP32 dims: [ 1024, 32 ] } ]
output [ { name: "finite" data_type: TYPE_BOOL dims: [ 1 ] reshape: { shape: [ ] } } ]
output [ { name: "tokens_float16" data_type: TYPE_FP16 dims: [ 1024, 32 ] } ]
output [ { name: "finite_float16" data_type: TYPE_BOOL dims: [ 1 ] reshape: { shape: [ ] } } ]
parameters { key: "siglip_hd_digest" value: { string_value: "${model.digest}" } }
`,
  );
  assert.deepEqual(readdirSync(join(out, 'hd/1')).toSorted(), ['encoder.onnx', 'encoder.onnx_data']);
  assert.equal(
    statSync(join(out, 'hd/1/encoder.onnx_data')).ino,
    statSync(join(folder, 'encoder.onnx_data')).ino,
  );
});

test('a model of several layers has outputs for each, with and without its class token, and for its pooled vector', async (t) => {
  const scratch = await temporaryFolder(t);
  const { config } = await exported(
    await importLayers(scratch, 'clip-projected'),
    join(scratch, 'repository'),
  );
  const named = [...config('hd').matchAll(/name: "(\w+)" data_type: TYPE_FP16 dims: (\[ \d+, \d+ \])/g)];
  assert.deepEqual(
    named.map(([, name, dims]) => [name, dims]),
    [
      ['tokens_float16', '[ 16, 32 ]'],
      ['penultimate_float16', '[ 16, 32 ]'],
      ['hidden_state_minus_3_float16', '[ 16, 32 ]'],
      ['hidden_state_minus_5_float16', '[ 16, 32 ]'],
      ['last_hidden_state_with_class_token_float16', '[ 17, 32 ]'],
      ['penultimate_with_class_token_float16', '[ 17, 32 ]'],
      ['hidden_state_minus_3_with_class_token_float16', '[ 17, 32 ]'],
      ['hidden_state_minus_5_with_class_token_float16', '[ 17, 32 ]'],
      ['pooled_float16', '[ 1, 24 ]'],
    ],
  );
});

test('a model with a projector has the projector beside it, for maps of any length, one at a time', async (t) => {
  const scratch = await temporaryFolder(t);
  const { names, config } = await exported(
    await importVlm(scratch, 'llava-siglip'),
    join(scratch, 'repository'),
  );
  assert.deepEqual(names, ['hd', 'hd_projector']);
  assert.match(
    config('hd'),
    /output \[ \{ name: "embeddings_float16" data_type: TYPE_FP16 dims: \[ \d+, \d+ \] \} \]/,
  );
  assert.match(config('hd_projector'), /max_batch_size: 1\n/);
  assert.match(
    config('hd_projector'),
    /input \[ \{ name: "features" data_type: TYPE_FP32 dims: \[ -1, \d+ \] \} \]/,
  );
});

test('the graphs around an ONNX export are models of an ensemble, which hand on what the graphs name', async (t) => {
  const scratch = await temporaryFolder(t);
  const folder = join(scratch, 'model');
  await importExport(fixture('exports/siglip-tiny/onnx/dynamo.onnx'), folder);
  const out = join(scratch, 'repository');
  const { names, config } = await exported(folder, out, { tensorrt: true });
  assert.deepEqual(names, ['hd', 'hd_before', 'hd_encoder', 'hd_after']);
  const steps = [...config('hd').matchAll(/model_name: "(\w+)".*?input_map \{ key: "(\w+)"/g)];
  assert.deepEqual(
    steps.map(([, name]) => name),
    ['hd_before', 'hd_encoder', 'hd_after'],
  );
  for (const [, name, input] of steps)
    assert.match(config(name!), new RegExp(`input \\[ \\{ name: "${input}"`));
  // TensorRT is for the tower alone.
  assert.match(config('hd_encoder'), /gpu_execution_accelerator/);
  assert.doesNotMatch(config('hd_before') + config('hd_after'), /gpu_execution_accelerator/);
  assert.ok(readdirSync(join(out, 'hd_encoder/1')).length > 1);
});

test('a model that quantises whole batches takes one view at a time', async (t) => {
  const scratch = await temporaryFolder(t);
  const folder = await importFixture(scratch, 'siglip-tiny', { precision: 'int8' });
  const { config } = await exported(folder, join(scratch, 'repository'));
  assert.match(config('hd'), /max_batch_size: 1\n/);
});

test('leaves a model that is there alone, unless it is to be replaced', async (t) => {
  const scratch = await temporaryFolder(t);
  const folder = await importFixture(scratch, 'siglip-tiny');
  const out = join(scratch, 'repository');
  await exported(folder, out);
  await assert.rejects(exported(folder, out, { maxBatch: 4 }), {
    code: 'invalid_argument',
    message: `${out}/hd exists already; choose another --name, or replace it with --force.`,
  });
  const { config } = await exported(folder, out, { maxBatch: 4, force: true });
  assert.match(config('hd'), /max_batch_size: 4\n/);
  assert.deepEqual(readdirSync(out), ['hd']);
});
