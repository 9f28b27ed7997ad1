import assert from 'node:assert/strict';
import { readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exportExaminer } from '../../../../src/inference/examine-export.ts';
import { castTo } from '../../../../src/model/import/graph.ts';
import { loadModelFolder } from '../../../../src/model/load-folder.ts';
import type { Manifest } from '../../../../src/model/manifest.ts';
import type { Model } from '../../../../src/model/model.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { largestDifference, runGraph } from '../run-graph.ts';
import { copyOfExport, firstValuesAsTokens, graphAsExport, importExport } from './test-exports.ts';

const siglip = (name: string) => fixture(`exports/siglip-tiny/onnx/${name}`);

describe('import of an ONNX export', () => {
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
