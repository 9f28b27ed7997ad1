import assert from 'node:assert/strict';
import { readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exportExaminer } from '../../../../src/inference/examine-export.ts';
import { castTo } from '../../../../src/model/import/graph.ts';
import { meanTokenCosine } from '../../../../src/model/import/cosine.ts';
import { loadModelFolder } from '../../../../src/model/load-folder.ts';
import type { Manifest } from '../../../../src/model/manifest.ts';
import type { Model } from '../../../../src/model/model.ts';
import { encodeView } from '../encode-view.ts';
import { expectedTokens, fixture, temporaryFolder } from '../fixtures.ts';
import { halfValue, largestDifference, runGraph } from '../run-graph.ts';
import { copyOfExport, firstValuesAsTokens, graphAsExport, importExport } from './test-exports.ts';

const siglip = (name: string) => fixture(`exports/siglip-tiny/onnx/${name}`);

describe('import of an ONNX export', () => {
  const exact = [
    ['torch.onnx.export with weights in the graph', siglip('vision_model.onnx'), 'fp32', 5e-5],
    ['torch.onnx.export with weights in a file', siglip('dynamo.onnx'), 'fp32', 5e-5],
    ['a conversion to float16', siglip('vision_model_fp16.onnx'), 'fp16', 2e-2],
    ['a conversion to float16 with float16 inputs and outputs', siglip('half.onnx'), 'fp16', 2e-2],
  ] as const;
  for (const [what, source, precision, allowed] of exact) {
    it(`gives transformers' tokens, of ${what}`, async (t) => {
      const model = await importExport(source, join(await temporaryFolder(t), 'out'));
      assert.equal(model.precision, precision);
      for (const image of ['alpha.png', 'rocket.jpg', 'document.png']) {
        const tokens = await runGraph(model.folder, [await encodeView(image, model)]);
        assert.deepEqual(tokens.shape, [1, 1024, 32]);
        const difference = largestDifference(tokens.float32, await expectedTokens(`encode-${image}.npy`));
        assert.ok(difference <= allowed, `${difference}`);
        assert.ok(largestDifference(Array.from(tokens.float16, halfValue), tokens.float32) <= 2e-3);
        assert.deepEqual([tokens.finite, tokens.finiteFloat16], [[true], [true]]);
      }
    });
  }

  it("gives tokens near transformers', of a quantised export", async (t) => {
    const model = await importExport(siglip('vision_model_int8.onnx'), join(await temporaryFolder(t), 'out'));
    assert.equal(model.precision, 'exported');
    const { float32 } = await runGraph(model.folder, [await encodeView('rocket.jpg', model)]);
    const cosine = meanTokenCosine(float32, await expectedTokens('encode-rocket.jpg.npy'), 32);
    assert.ok(cosine >= 0.99, `${cosine}`);
  });

  it("leaves out CLIP's class token, and crops as CLIP does", async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    const model = await importExport(fixture('exports/clip-tiny/model.onnx'), out);
    assert.equal(model.resize, 'crop');
    const { float32 } = await runGraph(out, [await encodeView('rocket.jpg', model)]);
    const expected = await expectedTokens('clip-encode-rocket.jpg-last_hidden_state.npy');
    assert.ok(largestDifference(float32, expected) <= 5e-5);
  });

  it('gives each view of a batch the tokens that it gets alone', async (t) => {
    const model = await importExport(siglip('vision_model.onnx'), join(await temporaryFolder(t), 'out'));
    const images = ['alpha.png', 'document.png', 'coffee.png'];
    const views = await Promise.all(images.map((image) => encodeView(image, model)));
    const batch = await runGraph(model.folder, views);
    assert.deepEqual(batch.shape, [3, 1024, 32]);
    for (const [i, view] of views.entries()) {
      const { float32 } = await runGraph(model.folder, [view]);
      const own = batch.float32.subarray(i * float32.length, (i + 1) * float32.length);
      assert.ok(largestDifference(own, float32) <= 5e-5);
    }
  });

  for (const layout of ['NCHW', 'NHWC'] as const) {
    for (const type of ['float32', 'float16'] as const) {
      it(`normalises pixels for an input of ${type} ${layout}, whatever its name`, async (t) => {
        const folder = await temporaryFolder(t);
        const sizes = layout === 'NCHW' ? [3, 512, 512] : [512, 512, 3];
        const source = await graphAsExport(folder, (graph) => {
          graph.input('image', type, ['n', ...sizes]);
          firstValuesAsTokens(graph, graph.node('Cast', ['image'], castTo('float32')), 'features');
          graph.output('features', 'float32', ['n', 1024, 32]);
        });
        const { folder: out } = await importExport(source, join(folder, 'out'));
        const view = Uint8Array.from({ length: 512 * 512 * 3 }, (_, i) => (i * 7) % 251);
        const { float32 } = await runGraph(out, [view]);
        const stride = layout === 'NCHW' ? 3 : 1;
        const expected = Array.from({ length: 32 }, (_, i) => (view[i * stride]! / 255 - 0.5) / 0.5);
        assert.ok(largestDifference(float32.subarray(0, 32), expected) <= (type === 'float32' ? 1e-6 : 1e-3));
      });
    }
  }

  it('describes what it made, as loading the folder does', async (t) => {
    const out = join(await temporaryFolder(t), 'hd');
    const seen: [number, number][] = [];
    const model = await importExport(siglip('dynamo.onnx'), out, {
      onProgress: (done, total) => seen.push([done, total]),
    });
    assert.deepEqual(model, await loadModelFolder(out));
    const { digest, towerDigest } = model;
    assert.deepEqual(model, {
      name: 'hd',
      folder: out,
      digest,
      architecture: 'siglip',
      trained: true,
      imageSize: 512,
      patchSize: 16,
      grid: { width: 32, height: 32 },
      channels: 32,
      layers: 3,
      features: 'last_hidden_state',
      precision: 'fp32',
      resample: 'bilinear',
      resize: 'squash',
      towerDigest,
      graphs: ['before.onnx', 'encoder.onnx', 'after.onnx'],
    } satisfies Model);
    assert.equal(seen.at(-1)![0], seen.at(-1)![1]);
    const { provenance } = JSON.parse(await readFile(join(out, 'model.json'), 'utf8')) as Manifest;
    assert.deepEqual(provenance, { source: 'dynamo.onnx', storedDtype: 'F32' });
  });

  it('keeps the files of the export as they are', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    await importExport(siglip('dynamo.onnx'), out);
    assert.deepEqual((await readdir(out)).toSorted(), [
      'after.onnx',
      'before.onnx',
      'dynamo.onnx.data',
      'encoder.onnx',
      'model.json',
    ]);
    assert.deepEqual(await readFile(join(out, 'encoder.onnx')), await readFile(siglip('dynamo.onnx')));
    const data = 'dynamo.onnx.data';
    assert.deepEqual(await readFile(join(out, data)), await readFile(siglip(data)));
  });

  it('has a digest that does not depend on where the graph lies or what it is called', async (t) => {
    const folder = await temporaryFolder(t);
    const path = await copyOfExport(folder, 'vision_model.onnx');
    const renamed = join(folder, 'other.onnx');
    await rename(path, renamed);
    const first = await importExport(siglip('vision_model.onnx'), join(folder, 'a'));
    const second = await importExport(renamed, join(folder, 'b'));
    assert.equal(second.digest, first.digest);
  });

  it('is cancelled by its signal at any step, and by Ctrl-C, and leaves nothing', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'out');
    const source = siglip('vision_model.onnx');
    await assert.rejects(importExport(source, out, { signal: AbortSignal.abort() }), { code: 'cancelled' });
    const controller = new AbortController();
    const onProgress = (done: number, total: number) => {
      if (done === total) controller.abort();
    };
    await assert.rejects(importExport(source, out, { signal: controller.signal, onProgress }), {
      code: 'cancelled',
    });
    const examiner = exportExaminer(1, new URL('./interrupted-examiner.js', import.meta.url));
    await assert.rejects(importExport(source, out, { examiner }), { code: 'cancelled' });
    assert.deepEqual(await readdir(folder), []);
  });
});
