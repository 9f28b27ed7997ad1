import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { meanTokenCosine } from '../../../../src/model/import/cosine.ts';
import { encodeView } from '../encode-view.ts';
import { expectedTokens, fixture, temporaryFolder } from '../fixtures.ts';
import { halfValue, largestDifference, runGraph } from '../run-graph.ts';
import { importExport } from './test-exports.ts';

const siglip = (name: string) => fixture(`exports/siglip-tiny/onnx/${name}`);

describe('tokens of an imported ONNX export', () => {
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
});
