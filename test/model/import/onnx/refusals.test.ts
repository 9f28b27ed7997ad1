import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exportExaminer } from '../../../../src/inference/examine-export.ts';
import { ServiceError } from '../../../../src/errors/service-error.ts';
import type { Graph } from '../../../../src/model/import/graph.ts';
import type { ImportOptions } from '../../../../src/model/import/import-model.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { copyOfExport, firstValuesAsTokens, graphAsExport, importExport, reshape } from './test-exports.ts';

/** Checks that an import fails with `message`, in one line, and leaves nothing behind. */
async function assertRefused(source: string, message: RegExp, options: Partial<ImportOptions> = {}) {
  const folder = dirname(dirname(source));
  const before = await readdir(folder);
  await assert.rejects(importExport(source, join(folder, 'models', 'out'), options), (error: unknown) => {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, 'invalid_argument');
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\p{Cc}/u);
    return true;
  });
  assert.deepEqual(await readdir(folder), before);
}

async function assertGraphRefused(t: TestContext, message: RegExp, build: (graph: Graph) => void) {
  await assertRefused(await graphAsExport(await temporaryFolder(t), build), message);
}

async function assertChangeRefused(
  t: TestContext,
  name: string,
  message: RegExp,
  change: (path: string) => Promise<unknown>,
) {
  const path = await copyOfExport(await temporaryFolder(t), name);
  await change(path);
  await assertRefused(path, message);
}

const pixels = ['batch', 3, 512, 512];

/** The outputs of a graph with the input `pixel_values`, each a reshaped copy of it. */
function shapes(outputs: Readonly<Record<string, readonly number[]>>): (graph: Graph) => void {
  return (graph) => {
    graph.input('pixel_values', 'float32', pixels);
    for (const [name, shape] of Object.entries(outputs)) {
      reshape(graph, 'pixel_values', shape, name);
      graph.output(name, 'float32', ['batch', ...shape.slice(1).map((_, axis) => `size_${axis}`)]);
    }
  };
}

describe('import of an ONNX export refuses', () => {
  const noOnnx = /^vision_model\.onnx is not an ONNX file, or is truncated or damaged\.$/;
  const files: readonly [string, string, RegExp, (path: string) => Promise<unknown>][] = [
    ['a file of text', 'vision_model.onnx', noOnnx, (path) => writeFile(path, 'version https://git-lfs')],
    [
      'an empty file',
      'vision_model.onnx',
      /is not an ONNX file: it has no graph\.$/,
      (path) => writeFile(path, ''),
    ],
    ['a truncated file', 'vision_model.onnx', noOnnx, (path) => truncate(path, 90_000)],
    [
      'a graph whose weights are missing',
      'dynamo.onnx',
      /^dynamo\.onnx needs dynamo\.onnx\.data beside it, which cannot be read: no such file or directory\.$/,
      (path) => rm(`${path}.data`),
    ],
    [
      'a graph whose weights are a folder',
      'dynamo.onnx',
      /^dynamo\.onnx needs dynamo\.onnx\.data beside it, which is not a file\.$/,
      async (path) => {
        await rm(`${path}.data`);
        await mkdir(`${path}.data`);
      },
    ],
    [
      'a graph whose weights are too short',
      'dynamo.onnx',
      /^dynamo\.onnx cannot be loaded by ONNX Runtime: .* are out of bounds or can not be read in full\.$/,
      (path) => truncate(`${path}.data`, 9000),
    ],
    [
      'weights outside of the folder',
      'dynamo.onnx',
      /^dynamo\.onnx keeps weights in "\.\.\/\.\.\/etc\/passwd", which is not in its folder\.$/,
      (path) => replaceName(path, '../../etc/passwd'),
    ],
    [
      'missing JSON files',
      'vision_model.onnx',
      /^config\.json is missing in .* and in the folder above/,
      (path) => rm(join(dirname(dirname(path)), 'config.json')),
    ],
  ];
  for (const [what, name, message, change] of files) {
    it(what, (t) => assertChangeRefused(t, name, message, change));
  }

  it('a file that is not there, and a folder', async (t) => {
    const folder = await temporaryFolder(t);
    await assertRefused(join(folder, 'a', 'b.onnx'), /b\.onnx does not exist\.$/);
    await mkdir(join(folder, 'a', 'c.onnx'), { recursive: true });
    await assertRefused(join(folder, 'a', 'c.onnx'), /c\.onnx is not a file\.$/);
  });

  it('another hidden state, image size or precision than the export has', async (t) => {
    const path = await copyOfExport(await temporaryFolder(t), 'vision_model.onnx');
    const byHand = /import the checkpoint that it was made from\.$/;
    await assertRefused(path, byHand, { features: ['penultimate'] });
    await assertRefused(path, byHand, { imageSize: 384 });
    await assertRefused(path, /is fp32 and keeps its precision; for fp16 import/, { precision: 'fp16' });
    const int8 = join(dirname(path), 'vision_model_int8.onnx');
    await assertRefused(int8, /is neither fp32 nor fp16 and keeps its precision; for int8/, {
      precision: 'int8',
    });
  });

  it('a text model, and names its inputs', (t) =>
    assertGraphRefused(
      t,
      /has no input for pixels, float32 or float16 \[batch, 3, 512, 512\]; its inputs are: input_ids int64 \[batch, 64\]\.$/,
      (graph) => {
        graph.input('input_ids', 'int64', ['batch', 64]);
        graph.node('Identity', ['input_ids'], {}, 'last_hidden_state');
        graph.output('last_hidden_state', 'int64', ['batch', 64]);
      },
    ));

  it('no output of tokens, and several', async (t) => {
    await assertGraphRefused(
      t,
      /gives no tokens \[batch, tokens, channels\]; its outputs are: pooler_output float32 \[2, 786432\]\.$/,
      shapes({ pooler_output: [0, 786_432] }),
    );
    await assertGraphRefused(
      t,
      /gives several outputs that may be tokens, none of them last_hidden_state: a float32 .*, b float32/,
      shapes({ a: [0, 1024, 768], b: [0, 768, 1024] }),
    );
  });

  it('tokens that config.json does not make', async (t) => {
    await assertGraphRefused(
      t,
      /gives last_hidden_state float32 \[2, 24576, 32\] for 2 views; config\.json makes it \[2, 1024 or 1025, 32\]\.$/,
      shapes({ last_hidden_state: [0, -1, 32], other: [0, 1024, 768] }),
    );
    await assertGraphRefused(
      t,
      /gives last_hidden_state float32 \[1, 49152, 32\] for 2 views/,
      shapes({ last_hidden_state: [1, -1, 32] }),
    );
  });

  it('a batch of one view that is built in', (t) =>
    assertGraphRefused(
      t,
      /runs on one view and not on 2; export it with a dynamic batch size\.$/,
      (graph) => {
        graph.input('pixel_values', 'float32', pixels);
        firstValuesAsTokens(graph, 'pixel_values', 'last_hidden_state', 1);
        graph.output('last_hidden_state', 'float32', ['batch', 1024, 32]);
      },
    ));

  it('operators that ONNX Runtime does not have', (t) =>
    assertGraphRefused(t, /cannot be loaded by ONNX Runtime: .*Own/, (graph) => {
      graph.input('pixel_values', 'float32', pixels);
      graph.node('my.company.Own', ['pixel_values'], {}, 'last_hidden_state');
      graph.output('last_hidden_state', 'float32', ['batch', 1024, 32]);
    }));

  it('names that the service needs', async (t) => {
    const named = (input: string, output: string) => (graph: Graph) => {
      graph.input(input, 'float32', pixels);
      firstValuesAsTokens(graph, input, output);
      graph.output(output, 'float32', ['batch', 1024, 32]);
    };
    const message = (name: string) =>
      new RegExp(`with the name ${name}, which the service needs; export it with`);
    await assertGraphRefused(t, message('pixels'), named('pixels', 'last_hidden_state'));
    await assertGraphRefused(t, message('finite'), named('pixel_values', 'finite'));
  });

  it('a file that crashes its reader', async (t) => {
    const path = await copyOfExport(await temporaryFolder(t), 'vision_model.onnx');
    const examiner = exportExaminer(1, new URL('./crashing-examiner.js', import.meta.url));
    await assertRefused(path, /^vision_model\.onnx crashes the process that reads it \(SIGSEGV\)\.$/, {
      examiner,
    });
  });
});

/** Puts another name of the same length in the place of dynamo.onnx.data. */
async function replaceName(path: string, name: string): Promise<void> {
  const text = (await readFile(path)).toString('latin1').replaceAll('dynamo.onnx.data', name);
  await writeFile(path, Buffer.from(text, 'latin1'));
  assert.equal(name.length, 'dynamo.onnx.data'.length);
  assert.notDeepEqual(await readFile(path), await readFile(fixture('exports/siglip-tiny/onnx/dynamo.onnx')));
}
