import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProjector, findSource } from '../../../src/cli/import/import-source.ts';
import { type ImportModel, importCheckpoint } from '../../../src/cli/import/import.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import type { Model } from '../../../src/model/model.ts';
import { stubModel } from '../../support/stub-model.ts';
import { fakeTerminal } from '../fake-terminal.ts';

const model: Model = {
  ...stubModel,
  name: 'hd',
  trained: true,
  channels: 1152,
  layers: 27,
  features: 'pre_norm',
  precision: 'fp16',
};

const settings = {
  out: 'models/hd',
  precision: 'fp16',
  minCosine: 0.98,
  calibrates: ['a.jpg'],
  imageSize: undefined,
  resize: 'crop',
  features: ['pre_norm'],
  classToken: false,
  pooled: false,
  force: true,
  towerOnly: false,
  projector: undefined,
  revision: undefined,
} as const;

function parts(importModel: ImportModel) {
  return {
    importModel,
    fetchCheckpoint: () => assert.fail('nothing is on the hub'),
    peakRssBytes: () => 512 * 2 ** 20,
  };
}

test('hands the settings on, says what the import notes, and sums up in one line with the peak of memory', async () => {
  const { terminal, stdout, stderr } = fakeTerminal();
  const exitCode = await importCheckpoint(
    'test/fixtures/siglip-tiny',
    settings,
    terminal,
    parts(async ({ source, origin, onProgress, onChosen, onNote, signal, ...given }) => {
      assert.ok(!signal.aborted && typeof onChosen === 'function' && origin === undefined);
      onNote('A note.');
      assert.deepEqual({ source, ...given }, { source: 'test/fixtures/siglip-tiny', ...settings });
      onProgress(10, 10);
      return model;
    }),
  );
  assert.equal(exitCode, 0);
  assert.equal(
    stdout.text,
    `models/hd: 512 px to 32 x 32 tokens of 1152 channels, 27 layers, pre_norm, fp16, ${model.digest}; ` +
      '1.0 s, peak RSS 512 MiB\n',
  );
  assert.equal(stderr.text, 'A note.\n');
});

test('names the repository and the commit that it downloaded', async () => {
  const { terminal, stdout } = fakeTerminal();
  const commit = 'c'.repeat(40);
  await importCheckpoint('google/siglip-tiny', settings, terminal, {
    ...parts(async ({ source, origin }) => {
      assert.equal(source, '/cache/snapshot');
      assert.deepEqual(origin, { source: 'google/siglip-tiny', revision: commit });
      return model;
    }),
    fetchCheckpoint: async () => ({ folder: '/cache/snapshot', commit }),
  });
  assert.ok(stdout.text.includes(`${model.digest}; from google/siglip-tiny at ${commit}; `));
});

test('says what int8 was measured at and which matrices stay in fp32', async () => {
  for (const [float32, said] of [
    [[], 'every matrix of the layers is int8'],
    [['encoder.layers.1.mlp.fc1', 'b'], '2 stay in fp32, the worst first: encoder.layers.1.mlp.fc1, b'],
  ] as const) {
    const { terminal, stdout } = fakeTerminal();
    await importCheckpoint(
      'test/fixtures/siglip-tiny',
      settings,
      terminal,
      parts(async ({ onChosen }) => {
        onChosen({ cosine: 0.99234567, minCosine: 0.99, pictures: '3 files', views: 3, float32 });
        return model;
      }),
    );
    assert.equal(
      stdout.text.split('\n')[1],
      `int8: mean cosine with fp32 0.99235 (at least 0.99; 3 files); ${said}`,
    );
  }
});

test('draws a progress bar on a terminal and nowhere else', async () => {
  const { terminal, stderr } = fakeTerminal(true);
  await importCheckpoint(
    'test/fixtures/siglip-tiny',
    settings,
    terminal,
    parts(async ({ onProgress }) => {
      onProgress(2 ** 20, 4 * 2 ** 20);
      return model;
    }),
  );
  assert.match(stderr.text, /importing \[#+\.+\] 25% of 4 MiB/);
});

test('passes SIGINT on as an abort, and says that it was interrupted', async () => {
  const { terminal, interrupt } = fakeTerminal();
  const cancelled = new ServiceError('cancelled', 'The import was cancelled.');
  const importing = importCheckpoint(
    'test/fixtures/siglip-tiny',
    settings,
    terminal,
    parts(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(cancelled));
          interrupt();
        }),
    ),
  );
  await assert.rejects(importing, { code: 'cancelled', message: 'Interrupted.' });
});

test('says what to give instead of a URL, or of a projector that is no file of weights', async () => {
  const fetch = () => Promise.reject(new Error('nothing is fetched'));
  for (const url of ['https://huggingface.co/owner/name', 'http://hf.co/owner/name/tree/main?x=1']) {
    await assert.rejects(findSource(url, undefined, fetch), {
      code: 'invalid_argument',
      message: `${url} is a URL: write owner/name for that repository on the hub.`,
    });
  }
  await assert.rejects(findSource('https://huggingface.co/datasets/a/b', undefined, fetch), {
    message: /is named OWNER\/NAME\.$/,
  });
  await assert.rejects(findProjector('test/fixtures/clip-tiny/config.json', fetch), {
    code: 'invalid_argument',
    message: /^--projector takes a folder, a \.safetensors file or a \.bin file; \S+config\.json is none/,
  });
});

test('says what to give instead of a file of a checkpoint, or of a model folder', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-source-'));
  context.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'model.json'), '{}');
  await writeFile(join(folder, 'model.safetensors'), '');
  const fetch = () => Promise.reject(new Error('nothing is fetched'));
  await assert.rejects(findSource(join(folder, 'model.safetensors'), undefined, fetch), {
    code: 'invalid_argument',
    message: /is one file of a checkpoint; give the folder/,
  });
  await assert.rejects(findSource(folder, undefined, fetch), {
    code: 'invalid_argument',
    message: /is a model folder already: serve --model/,
  });
});
