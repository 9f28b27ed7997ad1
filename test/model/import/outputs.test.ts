import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { graphRunner } from '../../../src/inference/onnx-session.ts';
import { meanTokenCosine } from '../../../src/model/import/cosine.ts';
import type { ImportOptions } from '../../../src/model/import/import-model.ts';
import { importModel } from '../../../src/model/import/import-model.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';
import { calibrationViews } from '../../../src/cli/import/calibration-views.ts';
import { importLayers, type LayersCase, layersCases, layersExpected } from '../../support/layers-golden.ts';
import { encodeView } from './encode-view.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

const source = (checkpoint: LayersCase['checkpoint']) => join('test/fixtures/layers', checkpoint);

async function importTo(
  t: TestContext,
  from: string,
  options: Partial<ImportOptions>,
): ReturnType<typeof importModel> {
  return await importModel({
    source: from,
    out: join(await temporaryFolder(t), 'out'),
    precision: 'fp32',
    ...options,
  });
}

/** The float32 outputs of the graph for one case's image. */
async function outputsOf(folder: string, { image }: LayersCase, names: readonly string[]) {
  const model = await loadModelFolder(folder);
  const data = Uint8Array.from(await encodeView(image, model));
  const shape = [1, model.imageSize, model.imageSize, 3];
  const [values] = await graphRunner(1)(
    join(folder, 'encoder.onnx'),
    [{ pixels: { type: 'uint8', shape, data } }],
    names,
  );
  return names.map((name) => values![name]!.data as Float32Array);
}

const stems: Readonly<Record<string, string>> = {
  'features=last_hidden_state': 'tokens',
  'features=penultimate': 'penultimate',
  'features=-3': 'hidden_state_minus_3',
  'features=-5': 'hidden_state_minus_5',
  'features=penultimate&class_token=true': 'penultimate_with_class_token',
  'output=pooled': 'pooled',
};

describe('an import of several layers', () => {
  for (const checkpoint of ['siglip-head', 'clip-projected'] as const) {
    for (const precision of ['fp16', 'int8'] as const) {
      it(`gives every output of ${checkpoint} in ${precision} close to transformers' float32`, async (t) => {
        const calibration = {
          minCosine: 0.99,
          views: (model: Parameters<typeof calibrationViews>[1]) => calibrationViews([], model),
          pictures: 'synthetic',
          run: graphRunner(1),
        };
        const folder = await importLayers(await temporaryFolder(t), checkpoint, {
          precision,
          ...(precision === 'int8' ? { calibration } : {}),
        });
        for (const golden of layersCases) {
          const stem = stems[golden.request];
          if (golden.checkpoint !== checkpoint || stem === undefined) continue;
          const [got] = await outputsOf(folder, golden, [stem]);
          const cosine = meanTokenCosine(got!, layersExpected(golden), golden.shape.at(-1)!);
          assert.ok(cosine >= 0.98, `${golden.expected}: ${cosine}`);
        }
      });
    }
  }

  it('is a folder of version 6, and one layer with nothing more is none', async (t) => {
    const several = await importTo(t, source('siglip-head'), { features: ['penultimate', '-3'] });
    assert.deepEqual(several.outputs, { features: ['penultimate', '-3'], classToken: false });
    assert.equal(several.features, 'penultimate');
    const one = await importTo(t, source('siglip-head'), { features: ['-3'] });
    assert.equal(one.outputs, undefined);
    const versionOf = async (folder: string) =>
      (JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as { formatVersion: number })
        .formatVersion;
    assert.deepEqual([await versionOf(several.folder), await versionOf(one.folder)], [6, 3]);
    assert.deepEqual(await loadModelFolder(several.folder), { ...several, name: 'out' });
  });

  it('runs no layer below which nothing is asked', async (t) => {
    const weightsOf = async (options: Partial<ImportOptions>) => {
      const { folder } = await importTo(t, source('siglip-head'), options);
      return (await readFile(join(folder, 'encoder.onnx_data'))).byteLength;
    };
    assert.ok((await weightsOf({ features: ['-5', '-4'] })) < (await weightsOf({ features: ['-3', '-4'] })));
    assert.ok(
      (await weightsOf({ features: ['-5'] })) < (await weightsOf({ features: ['-5'], pooled: true })),
    );
  });

  it('shares its tower digest with the same layers at another image size, for windows=whole', async (t) => {
    const features = ['penultimate', '-3'] as const;
    const small = await importTo(t, source('siglip-head'), { features });
    const large = await importTo(t, source('siglip-head'), { features, imageSize: 128 });
    const other = await importTo(t, source('siglip-head'), { features: ['penultimate'], imageSize: 128 });
    assert.equal(small.towerDigest, large.towerDigest);
    assert.notEqual(small.towerDigest, other.towerDigest);
  });

  it('shares its tower digest with a plain import of its only layer, whatever it gives beside it', async (t) => {
    const plain = await importTo(t, source('siglip-head'), {});
    const pooled = await importTo(t, source('siglip-head'), { pooled: true, imageSize: 128 });
    assert.equal(pooled.towerDigest, plain.towerDigest);
    const clip = await importTo(t, source('clip-projected'), { features: ['penultimate'] });
    for (const more of [{ classToken: true }, { pooled: true }]) {
      const other = await importTo(t, source('clip-projected'), { features: ['penultimate'], ...more });
      assert.equal(other.towerDigest, clip.towerDigest, JSON.stringify(more));
    }
    assert.notEqual(clip.towerDigest, (await importTo(t, source('clip-projected'), {})).towerDigest);
  });

  it('keeps the layer of a projector as its default', async (t) => {
    const llava = fixture('vlm-checkpoints/llava-clip');
    const model = await importTo(t, llava, { features: ['penultimate', 'pre_norm'], classToken: true });
    assert.equal(model.features, 'penultimate');
    assert.equal(model.projector?.family, 'llava');
    await assert.rejects(importTo(t, llava, { features: ['pre_norm', 'penultimate'] }), {
      code: 'invalid_argument',
      message:
        /which takes penultimate: name that first, --features penultimate,pre_norm, or import the tower alone/,
    });
  });
});

describe('an import is refused', () => {
  const refusals: readonly [string, string, Partial<ImportOptions>, RegExp][] = [
    [
      'with a layer that the tower does not have',
      source('siglip-head'),
      { features: ['penultimate', '-7'] },
      /^--features -7 is no hidden state of this tower: its 5 layers have -1 to -6\.$/,
    ],
    [
      'with the class token of a SigLIP',
      source('siglip-head'),
      { classToken: true },
      /^--class-token is for CLIP: a SigLIP has no class token\. Leave it out\.$/,
    ],
    [
      'with the pooled vector of a SigLIP without its head',
      fixture('vlm-checkpoints/llava-siglip'),
      { pooled: true, towerOnly: true },
      /^--pooled needs the pooling head of SigLIP, and the checkpoint has no head\.probe\. Leave it out\.$/,
    ],
  ];
  for (const [what, from, options, message] of refusals) {
    it(what, async (t) => {
      await assert.rejects(importTo(t, from, options), { code: 'invalid_argument', message });
    });
  }
});

describe("CLIP's pooled vector", () => {
  it('is the class token after its norm where the checkpoint has no projection, and the import says so', async (t) => {
    const notes: string[] = [];
    const model = await importTo(t, fixture('clip-tiny'), {
      pooled: true,
      onNote: (note) => notes.push(note),
    });
    assert.equal(model.outputs?.pooledChannels, model.channels);
    assert.match(
      notes.join(),
      /has no visual_projection\.weight: the pooled vector is the class token after its norm/,
    );
  });

  it('needs a projection of the shape that the tower has', async (t) => {
    const folder = join(await temporaryFolder(t), 'checkpoint');
    await cp(source('clip-projected'), folder, { recursive: true });
    const config = join(folder, 'config.json');
    const changed = (await readFile(config, 'utf8')).replace('"hidden_size": 32', '"hidden_size": 16');
    await writeFile(config, changed);
    await assert.rejects(importTo(t, folder, { pooled: true }), { code: 'invalid_argument' });
  });
});
