import assert from 'node:assert/strict';
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { calibrationViews } from '../../../src/cli/import/calibration-views.ts';
import { graphRunner } from '../../../src/inference/onnx-session.ts';
import type { Calibration } from '../../../src/model/import/calibrate.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';
import { importModel, type ImportOptions } from '../../../src/model/import/import-model.ts';
import type { Provenance } from '../../../src/model/manifest.ts';
import type { FeatureLayer, Model } from '../../../src/model/model.ts';
import { meanTokenCosine } from '../../../src/model/import/cosine.ts';
import { changedCheckpoint, type TestTensor } from './checkpoints.ts';
import { expectedTokens, fixture, temporaryFolder } from './fixtures.ts';
import { encodeView } from './encode-view.ts';
import { runGraph } from './run-graph.ts';

const calibration: Calibration = {
  minCosine: 0.99,
  views: (model) => calibrationViews([], model),
  pictures: 'synthetic',
  run: graphRunner(1),
};

function importInt8(out: string, source: string, options: Partial<ImportOptions> = {}): Promise<Model> {
  return importModel({
    source,
    out,
    features: ['last_hidden_state'],
    precision: 'int8',
    calibration,
    ...options,
  });
}

async function manifestOf({ folder }: Model): Promise<{ readonly provenance: Provenance }> {
  return JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as {
    readonly provenance: Provenance;
  };
}

interface EncodeCase {
  readonly rpc: string;
  readonly expected: string;
  readonly image: string;
  readonly features: FeatureLayer;
  readonly model?: string;
  readonly exif?: 'ignore';
}
const { cases } = JSON.parse(await readFile(fixture('cases.json'), 'utf8')) as { cases: EncodeCase[] };
const encodeCases = cases.filter(({ rpc }) => rpc === 'Encode');

describe('int8', () => {
  for (const { model = 'siglip-tiny', image, features, exif = 'apply', expected } of encodeCases) {
    it(`gives tokens near transformers' ${features} of ${image} from ${model} (${expected})`, async (t) => {
      const folder = join(await temporaryFolder(t), 'model');
      const [checkpoint = model] = model.split(' ', 1);
      const views = model.includes('518') ? ({ imageSize: 518, resize: 'squash' } as const) : {};
      const imported = await importInt8(folder, fixture(checkpoint), { features: [features], ...views });
      const tokens = await runGraph(folder, [await encodeView(image, imported, exif)]);
      const cosine = meanTokenCosine(tokens.float32, await expectedTokens(expected), imported.channels);
      assert.ok(cosine >= 0.99, `${cosine}`);
      assert.ok(cosine < 1);
    });
  }

  it('is measured when it is made, and model.json and the caller are told', async (t) => {
    const folder = await temporaryFolder(t);
    const chosen: unknown[] = [];
    const model = await importInt8(join(folder, 'int8'), fixture('siglip-tiny'), {
      calibration: { ...calibration, onChosen: (one) => chosen.push(one) },
    });
    const { provenance } = await manifestOf(model);
    assert.deepEqual(chosen, [provenance.int8]);
    const { cosine, ...rest } = provenance.int8!;
    assert.ok(cosine > 0.999 && cosine < 1, `${cosine}`);
    assert.deepEqual(rest, { minCosine: 0.99, pictures: 'synthetic', views: 2, float32: [] });
    assert.deepEqual(await readdir(folder), ['int8']);
    assert.deepEqual((await readdir(model.folder)).toSorted(), [
      'encoder.onnx',
      'encoder.onnx_data',
      'model.json',
    ]);
    assert.deepEqual(await loadModelFolder(model.folder), model);
  });

  it('keeps the one matrix in fp32 that int8 ruins', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await changedCheckpoint(folder, ruinFc1);
    const unmeasured = await importModel({
      source,
      out: join(folder, 'all'),
      features: ['last_hidden_state'],
      precision: 'int8',
    });
    const measured = await importInt8(join(folder, 'measured'), source);
    const exact = await importModel({
      source,
      out: join(folder, 'exact'),
      features: ['last_hidden_state'],
      precision: 'fp32',
    });
    const { int8 } = (await manifestOf(measured)).provenance;
    assert.deepEqual(int8?.float32, ['encoder.layers.1.mlp.fc1']);
    const view = await encodeView('rocket.jpg', exact);
    const truth = (await runGraph(exact.folder, [view])).float32;
    const cosineOf = async ({ folder: model }: Model): Promise<number> =>
      meanTokenCosine((await runGraph(model, [view])).float32, truth, 32);
    assert.ok((await cosineOf(unmeasured)) < 0.99);
    assert.ok((await cosineOf(measured)) >= 0.99);
  });

  it('refuses a cosine that only fp32 throughout would reach', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    await assert.rejects(
      importInt8(out, fixture('siglip-tiny'), { calibration: { ...calibration, minCosine: 1 } }),
      {
        code: 'invalid_argument',
        message:
          /^Only a model with every matrix in fp32 reaches a mean cosine of 1: import with --precision fp32/,
      },
    );
    await assert.rejects(access(out), { code: 'ENOENT' });
  });

  it('leaves nothing behind when it is cancelled while it measures', async (t) => {
    const folder = await temporaryFolder(t);
    const controller = new AbortController();
    const cancelling: Calibration = {
      ...calibration,
      views: (model) => {
        controller.abort();
        return calibration.views(model);
      },
    };
    await assert.rejects(
      importInt8(join(folder, 'out'), fixture('siglip-tiny'), {
        calibration: cancelling,
        signal: controller.signal,
      }),
      { code: 'cancelled' },
    );
    assert.deepEqual(await readdir(folder), []);
  });

  it('measures on photographs of the user, and names one that it cannot read', async (t) => {
    const folder = await temporaryFolder(t);
    const photographs = (files: string[]): Calibration => ({
      ...calibration,
      views: (model) => calibrationViews(files, model),
    });
    const model = await importInt8(join(folder, 'out'), fixture('siglip-tiny-27'), {
      calibration: photographs([fixture('images/rocket.jpg')]),
    });
    assert.equal((await manifestOf(model)).provenance.int8?.views, 1);
    for (const file of [fixture('cases.json'), join(folder, 'absent.jpg')]) {
      await assert.rejects(
        importInt8(join(folder, 'two'), fixture('siglip-tiny'), { calibration: photographs([file]) }),
        (error: Error & { code: string }) =>
          error.code === 'invalid_argument' && error.message.startsWith(`${file}: `),
      );
    }
    assert.deepEqual(await readdir(folder), ['out']);
  });
});

/** An input of fc1 that is always 0, with weights so large that all others vanish in a step. */
function ruinFc1(tensors: Map<string, TestTensor>): void {
  const of = (name: string): Buffer => tensors.get(`encoder.layers.1.${name}`)!.data;
  const channel = 5;
  for (const part of ['weight', 'bias']) of(`layer_norm2.${part}`).writeFloatLE(0, channel * 4);
  for (let row = 0; row < 80; row += 1) of('mlp.fc1.weight').writeFloatLE(1e4, (row * 32 + channel) * 4);
}
