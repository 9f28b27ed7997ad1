import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { importModel } from '../../../src/model/import/import-model.ts';
import { featureLayers, type FeatureLayer, type Model } from '../../../src/model/model.ts';
import { buildTower } from '../../../src/model/import/towers.ts';
import type { Normalisation, TowerGeometry } from '../../../src/model/tower-geometry.ts';
import type { TensorSource } from '../../../src/model/import/tensor-source.ts';
import { writeModelFolder } from '../../../src/model/import/write-folder.ts';
import { expectedTokens, fixture, temporaryFolder } from './fixtures.ts';
import { encodeView } from './encode-view.ts';
import { halfValue, largestDifference, runGraph } from './run-graph.ts';

interface EncodeCase {
  readonly rpc: string;
  readonly expected: string;
  readonly image: string;
  readonly features: FeatureLayer;
  readonly model?: string;
  readonly exif?: 'ignore';
}

const { cases, tolerance } = JSON.parse(await readFile(fixture('cases.json'), 'utf8')) as {
  readonly cases: readonly EncodeCase[];
  readonly tolerance: { readonly absolute: number; readonly float16_relative: number };
};
const encodeCases = cases.filter(
  ({ rpc, model = 'siglip-tiny' }) => rpc === 'Encode' && !model.startsWith('clip'),
);

async function imported(t: TestContext, checkpoint: string, features: FeatureLayer): Promise<Model> {
  const out = join(await temporaryFolder(t), 'model');
  return importModel({ source: fixture(checkpoint), out, features: [features], precision: 'fp32' });
}

function assertGolden(tokens: { float32: Float32Array; float16: Uint16Array }, expected: Float32Array): void {
  assert.ok(largestDifference(tokens.float32, expected) <= tolerance.absolute);
  const beyond = expected.findIndex((value, i) => {
    const allowed = tolerance.absolute + tolerance.float16_relative * Math.abs(value);
    return !(Math.abs(halfValue(tokens.float16[i]!) - value) <= allowed);
  });
  assert.equal(beyond, -1);
}

describe('siglip tower', () => {
  it('is held against eleven golden cases', () => assert.equal(encodeCases.length, 11));

  for (const { model = 'siglip-tiny', image, features, exif = 'apply', expected } of encodeCases) {
    it(`gives transformers' ${features} of ${image} from ${model} (${expected})`, async (t) => {
      const served = await imported(t, model, features);
      const tokens = await runGraph(served.folder, [await encodeView(image, served, exif)]);
      assertGolden(tokens, await expectedTokens(expected));
      assert.deepEqual([tokens.finite, tokens.finiteFloat16], [[true], [true]]);
    });
  }

  for (const features of featureLayers) {
    it(`gives the same ${features} from shards of a two-tower checkpoint`, async (t) => {
      const model = await imported(t, 'siglip-tiny-sharded', features);
      const tokens = await runGraph(model.folder, [await encodeView('document.png', model)]);
      const golden = features === 'last_hidden_state' ? '' : `-${features}`;
      assertGolden(tokens, await expectedTokens(`encode-document.png${golden}.npy`));
    });
  }
});

const tiny: TowerGeometry = {
  architecture: 'siglip',
  imageSize: 16,
  checkpointImageSize: 16,
  patchSize: 8,
  channels: 8,
  layers: 1,
  heads: 1,
  mlpChannels: 8,
  epsilon: 1e-6,
  activation: 'gelu_tanh',
};

/** Every weight of a tensor the same: what `values` says, else 0. */
class EqualWeights implements TensorSource {
  readonly #values: Readonly<Record<string, number>>;
  readonly #sizes = new Map<string, number>();

  constructor(values: Readonly<Record<string, number>>) {
    this.#values = values;
  }

  check(tensor: string, shape: readonly number[]): Promise<void> {
    this.#sizes.set(
      tensor,
      shape.reduce((product, size) => product * size, 1),
    );
    return Promise.resolve();
  }

  async *read(tensor: string): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const values = new Float32Array(this.#sizes.get(tensor) ?? 0).fill(this.#values[tensor] ?? 0);
    yield await Promise.resolve(new Uint8Array(values.buffer));
  }
}

async function equalWeightsFolder(
  t: TestContext,
  values: Readonly<Record<string, number>>,
  features: FeatureLayer,
): Promise<string> {
  const folder = join(await temporaryFolder(t), 'model');
  await mkdir(folder);
  // No offset, so that a black view is all zeros.
  const normalisation: Normalisation = { rescale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] };
  await writeModelFolder(folder, {
    geometry: tiny,
    preprocessing: { normalisation, resample: 'bilinear', resize: 'squash' },
    features,
    precision: 'fp32',
    trained: false,
    source: new EqualWeights(values),
    provenance: { source: 'test', storedDtype: 'F32' },
  });
  return folder;
}

const black = new Uint8Array(16 * 16 * 3);
const white = black.map(() => 255);
const oneWhitePixel = black.map((_, i) => (i > 760 ? 255 : 0));

describe('finite flags', () => {
  it('tell of infinite tokens for their view alone', async (t) => {
    const folder = await equalWeightsFolder(t, { 'embeddings.patch_embedding.weight': 1e38 }, 'penultimate');
    const tokens = await runGraph(folder, [black, white, oneWhitePixel, black]);
    assert.equal(tokens.float32.subarray(4 * 8, 8 * 8).includes(Infinity), true);
    assert.deepEqual(tokens.finite, [true, false, false, true]);
    assert.deepEqual(tokens.finiteFloat16, [true, false, false, true]);
  });

  it('tell of NaN tokens for their view alone', async (t) => {
    const weights = { 'embeddings.patch_embedding.weight': 1e38, 'post_layernorm.weight': 1 };
    const folder = await equalWeightsFolder(t, weights, 'last_hidden_state');
    const tokens = await runGraph(folder, [white, black]);
    assert.equal(tokens.float32.some(Number.isNaN), true);
    assert.deepEqual(tokens.finite, [false, true]);
    assert.deepEqual(tokens.finiteFloat16, [false, true]);
  });

  it('tell of tokens that are finite as float32 and infinite as float16', async (t) => {
    const folder = await equalWeightsFolder(t, { 'embeddings.patch_embedding.weight': 1000 }, 'pre_norm');
    const tokens = await runGraph(folder, [white, oneWhitePixel, black]);
    assert.equal(Math.round(tokens.float32[0]!), 192_000);
    assert.deepEqual(tokens.finite, [true, true, true]);
    assert.deepEqual(tokens.finiteFloat16, [false, true, true]);
  });

  it('are not misled by the sum of many large float16 values', async (t) => {
    const folder = await equalWeightsFolder(
      t,
      { 'embeddings.position_embedding.weight': 60_000 },
      'pre_norm',
    );
    const tokens = await runGraph(folder, [black]);
    assert.deepEqual([tokens.finite, tokens.finiteFloat16], [[true], [true]]);
  });
});

describe('tower weights', () => {
  const normalisation: Normalisation = { rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
  const only = (layer: FeatureLayer) => ({ features: [layer], classToken: false });
  const tensors = (features: FeatureLayer): string[] =>
    buildTower({ ...tiny, layers: 3 }, normalisation, only(features), 'fp32').weights.map(
      ({ tensor }) => tensor,
    );

  it('leave out what the feature layer does not need', () => {
    assert.ok(tensors('last_hidden_state').includes('post_layernorm.weight'));
    assert.ok(!tensors('pre_norm').includes('post_layernorm.weight'));
    assert.ok(tensors('pre_norm').includes('encoder.layers.2.mlp.fc2.weight'));
    assert.ok(!tensors('penultimate').some((tensor) => tensor.startsWith('encoder.layers.2.')));
  });

  it('lie on pages of their own, in order', () => {
    const { weights } = buildTower(tiny, normalisation, only('pre_norm'), 'fp16');
    let end = 0;
    for (const { place } of weights) {
      assert.equal(place.offsetBytes % 4096, 0);
      assert.ok(place.offsetBytes >= end);
      end = place.offsetBytes + place.sizeBytes;
    }
  });
});
