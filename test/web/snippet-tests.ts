import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { runProgram, skipFor } from '../support/external.ts';
import { type OpenedPage, choose, pageTest } from './site.ts';

/** A file name with what a shell and printf give a meaning to. */
const fileName = "my 100%s 'cup'.jpg";

/** Every option of the page, as it is typed, as the gRPC message has it and as the Python client sends it. */
const recipes = {
  encode: {
    method: 'Encode',
    typed: { features: 'penultimate,-3', output: 'pooled', class_token: 'true' },
    message: {
      options: { model: 'student', features: ['penultimate', '-3'], output: 'OUTPUT_POOLED' },
      encode: { class_token: true },
    },
    python: { features: ['penultimate', '-3'], output: 'pooled', class_token: true },
  },
  teacher: {
    method: 'TeacherEncode',
    typed: {
      features: 'pre_norm',
      output: 'embeddings',
      scales: '512,1024',
      weights: '1,2.5',
      fusion: 'unshuffle_concat',
      windows: 'half_overlap',
      channel_order: 'internvl',
      grid: '16x8',
    },
    message: {
      options: { model: 'student', features: ['pre_norm'], output: 'OUTPUT_EMBEDDINGS' },
      teacher: {
        scales: [512, 1024],
        weights: [1, 2.5],
        fusion: 'FUSION_UNSHUFFLE_CONCAT',
        windows: 'WINDOWS_HALF_OVERLAP',
        channel_order: 'CHANNEL_ORDER_INTERNVL',
        grid: { width: 16, height: 8 },
      },
    },
    python: {
      features: ['pre_norm'],
      output: 'embeddings',
      scales: [512, 1024],
      weights: [1, 2.5],
      fusion: 'unshuffle_concat',
      windows: 'half_overlap',
      channel_order: 'internvl',
      grid: [16, 8],
    },
  },
  anyres: {
    method: 'AnyResEncode',
    typed: {
      features: "it's 5%s",
      output: 'features',
      max_grid: '3x2',
      max_tiles: '0',
      assembly: 'tiles',
      resample: 'lanczos',
    },
    message: {
      options: { model: 'student', features: ["it's 5%s"], output: 'OUTPUT_FEATURES' },
      anyres: {
        max_grid: { columns: 3, rows: 2 },
        max_tiles: 0,
        assembly: 'ASSEMBLY_TILES',
        resample: 'RESAMPLE_LANCZOS',
      },
    },
    python: {
      features: ["it's 5%s"],
      output: 'features',
      max_grid: [3, 2],
      max_tiles: 0,
      assembly: 'tiles',
      resample: 'lanczos',
    },
  },
} as const;

type RecipeName = keyof typeof recipes;

/** Chooses every option of a recipe in the third panel, and gives the request of `kind`. */
async function snippetOf(opened: OpenedPage, recipe: RecipeName, kind: 'Python' | 'gRPC'): Promise<string> {
  const { page, panel } = opened;
  const { typed } = recipes[recipe];
  await choose(panel(3), { recipe, model: 'student', options: typed });
  assert.deepEqual(
    await panel(3).locator('.options label').allInnerTexts().then(namesOf),
    Object.keys(typed).toSorted(),
  );
  await page
    .getByLabel('Choose an image')
    .setInputFiles({ name: fileName, mimeType: 'image/jpeg', buffer: Buffer.from('no image') });
  await panel(3).getByText('Request', { exact: true }).click();
  await panel(3).getByLabel(kind).check();
  return await panel(3).locator('pre').innerText();
}

/** The options' names: the first words of their labels. */
function namesOf(labels: readonly string[]): string[] {
  return labels.map((label) => /^\w+/.exec(label)?.[0] ?? '').toSorted();
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'siglip-hd-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

for (const recipe of ['encode', 'teacher', 'anyres'] as const) {
  pageTest(
    `gives ${recipe} with every option as a gRPC message of the contract`,
    { errors: /400|412/ },
    async (opened, t) => {
      const folder = scratch(t);
      writeFileSync(join(folder, fileName), 'no image');
      writeFileSync(join(folder, 'grpcurl'), '#!/bin/sh\ncat > message.json\n');
      chmodSync(join(folder, 'grpcurl'), 0o755);
      const command = await snippetOf(opened, recipe, 'gRPC');
      const { exitCode, stderr } = await runProgram('sh', ['-c', `cd ${folder} && ${command}`], {
        PATH: `${folder}${delimiter}${process.env['PATH']}`,
      });
      assert.equal(exitCode, 0, stderr);
      const { method, message } = recipes[recipe];
      const sent = JSON.parse(readFileSync(join(folder, 'message.json'), 'utf8')) as object;
      const image = { file: Buffer.from('no image').toString('base64') };
      assert.deepEqual(sent, { image, ...message });
      const definition = loadSync('siglip_hd/v1/encoder.proto', {
        includeDirs: ['proto'],
        keepCase: true,
        enums: String,
      });
      const service = definition['siglip_hd.v1.VisualEncoderService'] as unknown as Record<
        string,
        { requestSerialize(message: object): Buffer; requestDeserialize(bytes: Buffer): object }
      >;
      const call = service[method]!;
      const read = JSON.parse(JSON.stringify(call.requestDeserialize(call.requestSerialize(sent)))) as Record<
        string,
        object
      >;
      for (const [name, fields] of Object.entries(message)) assert.deepEqual({ ...read[name] }, fields);
    },
  );

  pageTest(
    `gives ${recipe} with every option as the Python client takes it`,
    { errors: /400|412/ },
    async (opened, t) => {
      const code = await snippetOf(opened, recipe, 'Python');
      const program = `${fakeClient}\n${code.replace(/^from .*$/m, '').replace(/^ {4}print.*$/m, '')}`;
      const { exitCode, stdout, stderr } = await runProgram('python3', ['-c', program]);
      if (exitCode === null) return skipFor('there is no python3', t);
      assert.equal(exitCode, 0, stderr);
      const expected = { file: fileName, recipe, wire: { model: 'student', ...recipes[recipe].python } };
      assert.deepEqual(JSON.parse(stdout), expected);
      return undefined;
    },
  );
}

/** A client that reads options as the real one does, and prints them. It needs none of the real one's packages. */
const fakeClient = `
import json, sys, types
package = types.ModuleType("siglip_hd_client")
package.__path__ = ["clients/python/src/siglip_hd_client"]
sys.modules["siglip_hd_client"] = package
from siglip_hd_client.options import take_apart

class Client:
    def __init__(self, url): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def _print(self, recipe, file, given):
        print(json.dumps({"file": file, "recipe": recipe, "wire": dict(take_apart(recipe, {}, given).wire)}))
    def encode(self, file, **given): self._print("encode", file, given)
    def teacher_encode(self, file, **given): self._print("teacher", file, given)
    def anyres_encode(self, file, **given): self._print("anyres", file, given)
`;
