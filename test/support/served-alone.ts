import assert from 'node:assert/strict';
import { defaultTerms } from '../../src/admission/priority.ts';
import { ViewBudget, type ViewsPermit } from '../../src/admission/view-budget.ts';
import { type ServeModelOptions, serveModel } from '../../src/inference/served-model.ts';
import type { Model } from '../../src/model/model.ts';

/** A model on one thread of a CPU that may run four views at once, and says nothing. */
export const cpuOptions: ServeModelOptions = {
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

/** Holds that a model of 512 px runs its views one by one, and gives a view the same tokens whatever views come with it. */
export async function requireOneByOne(model: Model): Promise<void> {
  const served = await serveModel(model, cpuOptions);
  try {
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
    assert.ok(alone !== undefined);
    assert.deepEqual(await encode([view(1), view(7), view(13)]), alone);
    assert.equal(served.batcher.lanes[0]!.largest, 1);
  } finally {
    await served.close();
  }
}
