// The TeacherEncode and AnyResEncode goldens through plan, views, engine and assembly, without the transports.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { imageReader } from '../../src/image-reader.ts';
import { cutViews } from '../../src/image/views.ts';
import { WorkerEngine } from '../../src/inference/worker-engine.ts';
import { graphFile } from '../../src/model/graph-io.ts';
import { loadModelFolder } from '../../src/model/folder.ts';
import type { Model } from '../../src/model/model.ts';
import { planRecipe } from '../../src/recipes/planner.ts';
import { assemble } from '../../src/tokens/assemble.ts';
import {
  expectedTokens,
  goldenCases,
  goldenRecipe,
  imageBytes,
  valuesOf,
  worstError,
} from '../support/golden.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
const served = new Map<string, { readonly model: Model; readonly engine: WorkerEngine }>();

before(async () => {
  for (const name of ['siglip-tiny', 'siglip-tiny-27']) {
    const model = await loadModelFolder(await importFixture(scratch.path, name), name);
    const graphPath = `${model.folder}/${graphFile}`;
    const start = { graphPath, device: { kind: 'cpu' }, threads: 1, imageSize: model.imageSize } as const;
    served.set(name, { model, engine: await WorkerEngine.start(start, () => {}) });
  }
});
after(async () => {
  for (const { engine } of served.values()) await engine.close();
  scratch.remove();
});

const cases = goldenCases.filter(
  ({ rpc, model = 'siglip-tiny', expected }) =>
    rpc !== 'Encode' && model.startsWith('siglip-tiny') && !expected.includes('whole'),
);

for (const golden of cases) {
  test(`assembles what transformers gives: ${golden.expected}`, async () => {
    const { model, engine } = served.get(golden.model ?? 'siglip-tiny')!;
    const reader = imageReader(1e8);
    const image = { kind: 'file', bytes: imageBytes(golden.image) } as const;
    const raster = await reader.decode(image, 'apply', new AbortController().signal);
    const plan = planRecipe(raster, model, goldenRecipe(golden));
    const views: Uint8Array<ArrayBuffer>[] = [];
    for (const view of cutViews(raster, plan.canvases, plan.viewSize)) {
      const { tokens } = await engine.encode([view], ['float32']);
      views.push(tokens.float32!);
    }
    assert.deepEqual(plan.shape, golden.shape);
    for (const dtype of ['float32', 'float16'] as const) {
      const worst = worstError(valuesOf(assemble(plan, views, dtype), dtype), expectedTokens(golden), dtype);
      assert.ok(worst <= 1, `${dtype} is off by ${worst} times the tolerance`);
    }
  });
}
