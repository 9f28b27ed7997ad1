import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ViewBudget, type ViewsPermit } from '../../src/admission/view-budget.ts';
import { defaultTerms } from '../../src/admission/priority.ts';
import { type ServeModelOptions, serveModel } from '../../src/inference/served-model.ts';
import { importModel } from '../../src/model/import/import-model.ts';
import type { Model } from '../../src/model/model.ts';
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

const options: ServeModelOptions = {
  device: { kind: 'cpu' },
  engines: 1,
  threads: 1,
  maxBatch: 4,
  warmUpMs: 0,
  split: () => assert.fail('split a batch of one'),
  observe: () => {},
  engineTimeoutMs: 60_000,
  onReplace: () => {},
  onLate: () => {},
  onEnd: () => {},
};

test('refuses an int8 model on a GPU before it loads anything', async () => {
  await assert.rejects(serveModel(int8, { ...options, device: { kind: 'cuda', deviceIds: [0] } }), {
    code: 'failed_precondition',
    message: /^The model "int8" is int8, which only runs on a CPU; use --device cpu or import it .* fp16\.$/,
  });
});

test('an int8 model gives a view the same tokens whatever views come with it', async () => {
  const served = await serveModel(int8, options);
  const view = (value: number) => new Uint8Array(512 * 512 * 3).map((_, i) => (i * value) >> 4);
  const viewBudget = new ViewBudget({ maxViews: 3, workMs: () => 0 });
  const { signal } = new AbortController();
  const encode = async (views: Uint8Array<ArrayBuffer>[]) => {
    const [permit] = viewBudget.admit([views.length], 'model', defaultTerms) as [ViewsPermit];
    const [first] = await served.batcher.encode(permit, views, { outputs: ['float32'] }, signal);
    permit.release();
    return first?.tokens[0];
  };
  const alone = await encode([view(1)]);
  const beside = await encode([view(1), view(7), view(13)]);
  assert.equal(served.batcher.lanes[0]!.largest, 1);
  assert.deepEqual(beside, alone);
  await served.close();
});
