import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ViewBudget, type ViewsPermit } from '../../../../src/admission/view-budget.ts';
import { defaultTerms } from '../../../../src/admission/priority.ts';
import { serveModel } from '../../../../src/inference/served-model.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { importExport } from './test-exports.ts';

test('gives a view of an export that quantises while it runs the same tokens whatever is beside it', async (t) => {
  const source = fixture('exports/siglip-tiny/onnx/vision_model_int8.onnx');
  const model = await importExport(source, join(await temporaryFolder(t), 'out'));
  assert.equal(model.precision, 'exported');
  const served = await serveModel(model, {
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
  });
  t.after(() => served.close());
  const view = (value: number) => new Uint8Array(512 * 512 * 3).map((_, i) => (i * value) >> 4);
  const admission = new ViewBudget({ maxViews: 3, workMs: () => 0 });
  const { signal } = new AbortController();
  const encode = async (views: Uint8Array<ArrayBuffer>[]) => {
    const [permit] = admission.admit([views.length], 'model', defaultTerms) as [ViewsPermit];
    const [first] = await served.batcher.encode(permit, views, { outputs: ['float32'] }, signal);
    permit.release();
    return first?.tokens[0];
  };
  const alone = await encode([view(1)]);
  assert.deepEqual(await encode([view(1), view(7), view(13)]), alone);
});
