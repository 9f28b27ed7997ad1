import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { graphRunner } from '../../../src/inference/onnx-session.ts';
import { readConfig, readGeometry, withImageSize } from '../../../src/model/import/checkpoint-config.ts';
import { CheckpointFiles } from '../../../src/model/import/checkpoint-files.ts';
import { Checkpoint } from '../../../src/model/import/checkpoint.ts';
import { cutNodes } from '../../../src/model/import/graph-parts.ts';
import { graphInput } from '../../../src/model/graph-io.ts';
import { runInParts } from '../../../src/model/import/run-parts.ts';
import { towerOf, writeModelFolder, type FolderContents } from '../../../src/model/import/write-folder.ts';
import { findTower } from '../../../src/model/import/tower-names.ts';
import { fixture, temporaryFolder } from './fixtures.ts';
import { largestDifference, runGraph } from './run-graph.ts';

const node = (inputs: string, output: string) => ({ inputs: inputs.split(' '), output });

/** x goes through two branches, each with a residual. */
const nodes = [
  node('x w1', 'a'),
  node('a x', 'b'),
  node('b w2', 'c'),
  node('c b', 'd'),
  node('d', 'told'),
  node('d w3 ', 'e'),
];
const weights = new Map([
  ['w1', 10],
  ['w2', 10],
  ['w3', 10],
]);

describe('cutting a graph', () => {
  it('cuts where one tensor goes on, once a part has its bytes', () => {
    assert.deepEqual(cutNodes(nodes, weights, 10), [
      { from: 0, to: 2, input: 'x', output: 'b' },
      { from: 2, to: 4, input: 'b', output: 'd' },
      { from: 4, to: 6, input: 'd', output: undefined },
    ]);
  });

  it('leaves a graph whole that has too few bytes', () => {
    assert.deepEqual(cutNodes(nodes, weights, 31), [{ from: 0, to: 6, input: 'x', output: undefined }]);
  });
});

describe('a graph in parts', () => {
  it('gives what the whole gives', async (t) => {
    const folder = await temporaryFolder(t);
    const whole = join(folder, 'model');
    await mkdir(whole);
    const tiny = fixture('siglip-tiny');
    const files = await CheckpointFiles.open(tiny);
    const contents: FolderContents = {
      geometry: withImageSize(readGeometry(await readConfig(tiny)), 64),
      preprocessing: {
        normalisation: { rescale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
        resample: 'bilinear',
        resize: 'squash',
      },
      features: 'last_hidden_state',
      precision: 'int8',
      trained: true,
      source: new Checkpoint(files, findTower(files.names())),
      provenance: { source: 'test', storedDtype: 'F32' },
    };
    await writeModelFolder(whole, contents);
    const { graph } = towerOf(contents);
    assert.ok(graph.parts(2 ** 13, graph.places).length > 4);
    const view = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) >> 3);
    const { float32 } = await runGraph(whole, [view]);
    for (const partBytes of [1, 2 ** 13, 2 ** 30]) {
      const [values] = await runInParts(
        graph,
        graphInput,
        [{ type: 'uint8', shape: [1, 64, 64, 3], data: view }],
        (name) => name === 'tokens',
        { run: graphRunner(1), folder: whole, places: graph.places, partBytes },
      );
      assert.deepEqual(values!['tokens']!.shape, [1, 16, 32]);
      const difference = largestDifference(values!['tokens']!.data, float32);
      assert.ok(difference < 1e-5, `${difference}`);
    }
  });
});
