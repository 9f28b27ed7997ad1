import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decode } from '../../src/image/decode.ts';
import { cutViews } from '../../src/image/cut-views.ts';
import { WorkerEngine } from '../../src/inference/worker-engine.ts';
import { loadModelFolder } from '../../src/model/load-folder.ts';
import { graphFile } from '../../src/model/graph-io.ts';
import type { Model } from '../../src/model/model.ts';
import { anyresDefaults, planAnyres } from '../../src/recipes/anyres.ts';
import type { Fusion, Plan, Resample, Size } from '../../src/recipes/plan.ts';
import type { TeacherWindows } from '../../src/recipes/plan.ts';
import { planTeacher, teacherDefaults } from '../../src/recipes/teacher.ts';
import { assemble } from '../../src/tokens/assembly/assemble.ts';
import { splitTokens } from '../../src/tokens/token-tasks.ts';
import { expectedTokens, goldenCases, imageBytes, valuesOf, worstError } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

/** A case's options, as cases.json names them. */
interface AssemblyCase extends GoldenCase {
  readonly scales?: readonly number[];
  readonly weights?: readonly number[];
  readonly fusion?: Fusion;
  readonly windows?: TeacherWindows;
  readonly max_tiles?: number | null;
  readonly resample?: Resample;
}

const checkpoints = ['siglip-tiny', 'siglip-tiny-27'];
const largestBatch = 8;
const scratch = scratchFolder();
const served = new Map<string, { readonly model: Model; readonly engine: WorkerEngine }>();

before(async () => {
  for (const name of checkpoints) {
    const folder = await importFixture(scratch.path, name);
    const model = await loadModelFolder(folder, name);
    const { imageSize } = model;
    const engine = await WorkerEngine.start(
      {
        folder,
        graphs: [graphFile],
        device: { kind: 'cpu' },
        threads: 1,
        input: { kind: 'pixels', side: imageSize },
      },
      (error) => assert.fail(error),
    );
    served.set(name, { model, engine });
  }
});
after(async () => {
  for (const { engine } of served.values()) await engine.close();
  scratch.remove();
});

function planOf(golden: AssemblyCase, image: Size, model: Model): Plan {
  const { scales, weights, fusion, windows, max_tiles: maxTiles, resample } = golden;
  if (golden.rpc === 'AnyResEncode') {
    return planAnyres(image, model, {
      ...anyresDefaults,
      ...(maxTiles === undefined ? {} : { maxTiles: maxTiles ?? 0 }),
      ...(resample && { resample }),
    });
  }
  return planTeacher(model, {
    ...teacherDefaults,
    ...(scales && { scales }),
    ...(weights && { weights }),
    ...(fusion && { fusion }),
    ...(windows && { windows }),
  });
}

async function encode(engine: WorkerEngine, views: readonly Uint8Array<ArrayBuffer>[]) {
  const tokens: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < views.length; from += largestBatch) {
    const batch = views.slice(from, from + largestBatch);
    const encoded = await engine.encode(batch, ['float32']);
    tokens.push(...splitTokens(encoded.tokens.float32!, batch.length));
  }
  return tokens;
}

// The whole image in one view needs a model that is imported at that image size.
const cases = (goldenCases as readonly AssemblyCase[]).filter(
  ({ rpc, model = 'siglip-tiny', windows }) =>
    rpc !== 'Encode' && checkpoints.includes(model) && windows?.startsWith('whole') !== true,
);

test('there are goldens of both recipes and of both checkpoints', () => {
  assert.equal(cases.filter(({ rpc }) => rpc === 'TeacherEncode').length, 13);
  assert.equal(cases.filter(({ rpc }) => rpc === 'AnyResEncode').length, 6);
  assert.equal(cases.filter(({ model }) => model === 'siglip-tiny-27').length, 2);
});

for (const golden of cases) {
  test(`assembles transformers' tokens: ${golden.expected}`, async () => {
    const { model, engine } = served.get(golden.model ?? 'siglip-tiny')!;
    const raster = await decode(imageBytes(golden.image), { exif: 'apply', maxPixels: 1e8 });
    const plan = planOf(golden, raster, model);
    assert.deepEqual(plan.shape, golden.shape);
    const views = await encode(engine, cutViews(raster, plan.canvases, plan.viewSize));
    const expected = expectedTokens(golden);
    for (const dtype of ['float32', 'float16'] as const) {
      const tokens = valuesOf(assemble(plan, views, dtype), dtype);
      const worst = worstError(tokens, expected, dtype);
      assert.ok(worst <= 1, `off by ${worst} times the tolerance as ${dtype}`);
    }
  });
}
