import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { serveModel } from '../../src/inference/served-model.ts';
import { importModel } from '../../src/model/import/import-model.ts';
import type { Model } from '../../src/model/model.ts';
import { cpuOptions, requireOneByOne } from '../support/served-alone.ts';
import { scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
let int8: Model;
before(async () => {
  int8 = await importModel({
    source: 'test/fixtures/siglip-tiny',
    out: join(scratch.path, 'int8'),
    features: ['last_hidden_state'],
    precision: 'int8',
  });
});
after(() => scratch.remove());

test('refuses an int8 model on a GPU before it loads anything', async () => {
  await assert.rejects(serveModel(int8, { ...cpuOptions, device: { kind: 'cuda', deviceIds: [0] } }), {
    code: 'failed_precondition',
    message: /^The model "int8" is int8, which only runs on a CPU; use --device cpu or import it .* fp16\.$/,
  });
});

test('an int8 model gives a view the same tokens whatever views come with it', async () => {
  await requireOneByOne(int8);
});
