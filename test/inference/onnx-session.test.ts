import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { graphRunner } from '../../src/inference/onnx-session.ts';
import { weightsFile } from '../../src/model/graph-io.ts';
import { Graph } from '../../src/model/import/graph.ts';
import { int8Product } from '../../src/model/import/int8-linear.ts';
import { temporaryFolder } from '../model/import/fixtures.ts';

test('int8 products are exact on every CPU, also where pairs of them pass 16 bits', async (t) => {
  const folder = await temporaryFolder(t);
  const [inputs, outputs] = [64, 16];
  const graph = new Graph();
  graph.input('x', 'float32', ['rows', inputs]);
  graph.weight('m.weight_int8', 'int8', [inputs, outputs]);
  const { offsetBytes } = graph.weight('m.weight_scales', 'float32', [outputs]);
  const bias = graph.weight('m.bias', 'float32', [outputs]);
  const product = int8Product(graph, 'x', 'm');
  graph.output(product, 'float32', ['rows', outputs]);
  const weights = Buffer.alloc(bias.offsetBytes + bias.sizeBytes);
  weights.fill(127, 0, inputs * outputs);
  for (let output = 0; output < outputs; output += 1) weights.writeFloatLE(1, offsetBytes + output * 4);
  await writeFile(join(folder, weightsFile), weights);
  const path = join(folder, 'graph.onnx');
  await writeFile(path, graph.encode());
  // Of the activations, 255 steps of 1 each, all but one are at the top.
  const data = new Float32Array(inputs).fill(255);
  data[0] = 0;
  const [made] = await graphRunner(1)(
    path,
    [{ x: { type: 'float32', shape: [1, inputs], data } }],
    [product],
  );
  assert.deepEqual(
    [...made![product]!.data],
    Array.from({ length: outputs }, () => 63 * 255 * 127),
  );
});
