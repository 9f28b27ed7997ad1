import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { runProgram, skipFor } from '../support/external.ts';
import { sampleBytes } from './reference.ts';
import { type OpenedPage, choose, pageTest, takeSample } from './site.ts';

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
      const sent = await grpcMessage(await snippetOf(opened, recipe, 'gRPC'), folder);
      const { method, message } = recipes[recipe];
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
      const { exitCode, stdout, stderr } = await runProgram('python3', ['-c', withFakeClient(code)]);
      if (exitCode === null) return skipFor('there is no python3', t);
      assert.equal(exitCode, 0, stderr);
      const expected = { file: fileName, recipe, wire: { model: 'student', ...recipes[recipe].python } };
      assert.deepEqual(JSON.parse(stdout), expected);
      return undefined;
    },
  );
}

pageTest('gives a sample as Python and gRPC that fetch it first', {}, async (opened, t) => {
  const { panel } = opened;
  await takeSample(opened, 'Coffee');
  const folder = scratch(t);
  await panel(1).getByText('Request', { exact: true }).click();
  const code = panel(1).locator('pre');
  await panel(1).getByLabel('gRPC').check();
  const message = await grpcMessage(await code.innerText(), folder);
  assert.deepEqual(message.image.file, sampleBytes('coffee.jpg').toString('base64'));
  rmSync(join(folder, 'coffee.jpg'));
  await panel(1).getByLabel('Python').check();
  const program = `import os\nos.chdir(${JSON.stringify(folder)})\n${withFakeClient(await code.innerText())}`;
  const { exitCode, stderr } = await runProgram('python3', ['-c', program]);
  if (exitCode === null) return skipFor('there is no python3', t);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(readFileSync(join(folder, 'coffee.jpg')), sampleBytes('coffee.jpg'));
  return undefined;
});

pageTest(
  "names the file that a request for the user's own picture reads, and saves it",
  {},
  async (opened) => {
    const { page, panel } = opened;
    const buffer = sampleBytes('coffee.jpg');
    await page
      .getByLabel('Choose an image')
      .setInputFiles({ name: 'cup.jpg', mimeType: 'image/jpeg', buffer });
    await panel(1).getByText('Request', { exact: true }).click();
    await panel(1).getByText('It reads cup.jpg in the folder where it runs.').waitFor();
    const saving = page.waitForEvent('download');
    await panel(1).getByRole('link', { name: 'Save the file' }).click();
    const saved = await saving;
    assert.equal(saved.suggestedFilename(), 'cup.jpg');
    assert.deepEqual(readFileSync(await saved.path()), buffer);
  },
);

/** Runs a request as gRPC with a grpcurl that keeps the message, and gives the message. */
async function grpcMessage(
  command: string,
  folder: string,
): Promise<{ readonly image: { readonly file: string } }> {
  writeFileSync(join(folder, 'grpcurl'), '#!/bin/sh\ncat > message.json\n');
  chmodSync(join(folder, 'grpcurl'), 0o755);
  const { exitCode, stderr } = await runProgram('sh', ['-c', `cd ${folder} && ${command}`], {
    PATH: `${folder}${delimiter}${process.env['PATH']}`,
  });
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(readFileSync(join(folder, 'message.json'), 'utf8')) as { image: { file: string } };
}

/** The code with a client that prints its options in place of the real one. */
function withFakeClient(code: string): string {
  return `${fakeClient}\n${code.replace(/^from siglip_hd_client .*$/m, '').replace(/^ {4}print.*$/m, '')}`;
}

/** A client that reads options as the real one does, and prints them. It needs none of the real one's packages. */
const fakeClient = `
import json, sys, types
package = types.ModuleType("siglip_hd_client")
package.__path__ = ["${join(process.cwd(), 'clients/python/src/siglip_hd_client')}"]
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
