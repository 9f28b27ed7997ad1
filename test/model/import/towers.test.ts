import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { buildTower } from '../../../src/model/import/towers.ts';
import { importModel, type ImportOptions } from '../../../src/model/import/import-model.ts';
import { featureLayers, type FeatureLayer, type Model } from '../../../src/model/model.ts';
import type { TowerGeometry } from '../../../src/model/tower-geometry.ts';
import { encodeView } from './encode-view.ts';
import { expectedTokens, fixture, temporaryFolder } from './fixtures.ts';
import { largestDifference, runGraph } from './run-graph.ts';

async function imported(t: TestContext, options: Partial<ImportOptions> = {}): Promise<Model> {
  const out = join(await temporaryFolder(t), 'model');
  const source = fixture('clip-tiny');
  return importModel({ source, out, features: ['last_hidden_state'], precision: 'fp32', ...options });
}

describe('clip tower', () => {
  for (const features of ['last_hidden_state', 'penultimate'] as const) {
    it(`gives transformers' ${features} without the class token`, async (t) => {
      const model = await imported(t, { features: [features] });
      const tokens = await runGraph(model.folder, [await encodeView('rocket.jpg', model)]);
      assert.deepEqual(tokens.shape, [1, 576, 32]);
      const expected = await expectedTokens(`clip-encode-rocket.jpg-${features}.npy`);
      assert.ok(largestDifference(tokens.float32, expected) <= 5e-5);
      assert.deepEqual([tokens.finite, tokens.finiteFloat16], [[true], [true]]);
    });
  }

  it("gives transformers' tokens at another image size, with interpolated positions", async (t) => {
    const model = await imported(t, { imageSize: 518, resize: 'squash' });
    const tokens = await runGraph(model.folder, [await encodeView('rocket.jpg', model)]);
    const expected = await expectedTokens('clip-encode518-rocket.jpg.npy');
    assert.ok(largestDifference(tokens.float32, expected) <= 5e-5);
  });

  it('has no final norm, so pre_norm is last_hidden_state', async (t) => {
    const models = [await imported(t), await imported(t, { features: ['pre_norm'] })];
    const view = await encodeView('coffee.png', models[0]!);
    const [last, before] = await Promise.all(models.map(({ folder }) => runGraph(folder, [view])));
    assert.deepEqual(last!.float32, before!.float32);
    assert.deepEqual(
      models.map(({ features }) => features),
      ['last_hidden_state', 'pre_norm'],
    );
  });
});

for (const source of ['siglip-tiny', 'clip-tiny'].map(fixture)) {
  describe(`the tower of ${basename(source)}`, () => {
    for (const precision of ['fp32', 'fp16'] as const) {
      it(`gives a batch the tokens of its views alone, in ${precision}`, async (t) => {
        const model = await imported(t, { source, precision });
        const views = [];
        for (const image of ['alpha.png', 'rocket.jpg', 'tall.webp'])
          views.push(await encodeView(image, model));
        const batch = await runGraph(model.folder, views);
        assert.deepEqual(batch.shape, [3, model.grid.width * model.grid.height, 32]);
        for (const [i, view] of views.entries()) {
          const { float32: alone } = await runGraph(model.folder, [view]);
          const together = batch.float32.subarray(i * alone.length, (i + 1) * alone.length);
          const difference = largestDifference(together, alone);
          assert.ok(difference <= (precision === 'fp32' ? 5e-5 : 5e-3), `${difference}`);
        }
      });
    }

    for (const layer of featureLayers) {
      it(`gives ${layer} in fp16 close to fp32`, async (t) => {
        const exact = await imported(t, { source, features: [layer] });
        const half = await imported(t, { source, features: [layer], precision: 'fp16' });
        const view = await encodeView('rocket.jpg', exact);
        const [one, other] = [await runGraph(exact.folder, [view]), await runGraph(half.folder, [view])];
        const difference = largestDifference(one.float32, other.float32);
        assert.ok(difference > 0 && difference <= 2e-2, `${difference}`);
      });
    }
  });
}

describe('clip tower weights', () => {
  const geometry: TowerGeometry = {
    architecture: 'clip',
    imageSize: 28,
    patchSize: 14,
    channels: 8,
    layers: 2,
    heads: 1,
    mlpChannels: 8,
    epsilon: 1e-5,
    activation: 'quick_gelu',
  };
  const normalisation = { rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const shapes = (features: FeatureLayer) =>
    new Map(
      buildTower(geometry, normalisation, { features: [features], classToken: false }, 'fp32').weights.map(
        ({ tensor, shape }) => [tensor, shape],
      ),
    );

  it('are a class token, its position, and a norm before the layers', () => {
    const found = shapes('last_hidden_state');
    assert.deepEqual(found.get('embeddings.class_embedding'), [8]);
    assert.deepEqual(found.get('embeddings.position_embedding.weight'), [5, 8]);
    assert.deepEqual(found.get('pre_layrnorm.weight'), [8]);
  });

  it("leave out a patch bias, the class token's norm and what the feature layer does not need", () => {
    const found = [...shapes('penultimate').keys()];
    for (const absent of ['embeddings.patch_embedding.bias', 'post_layernorm.', 'encoder.layers.1.']) {
      assert.ok(!found.some((tensor) => tensor.startsWith(absent)), absent);
    }
  });
});
