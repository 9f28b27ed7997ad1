import assert from 'node:assert/strict';
import { readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ServiceError } from '../../../../src/errors/service-error.ts';
import { loadModelFolder } from '../../../../src/model/load-folder.ts';
import { importModel, type ImportOptions } from '../../../../src/model/import/import-model.ts';
import type { Model } from '../../../../src/model/model.ts';
import { ProtoMessage } from '../../../../src/model/import/protobuf.ts';
import { expectedTokens, temporaryFolder } from '../fixtures.ts';
import { viewOf } from '../pixels.ts';
import { halfValue, largestDifference, runGraph } from '../run-graph.ts';
import { node, port, type TestExportOptions, writeTestExport } from './write-test-export.ts';

const tolerance = 5e-5;

function importTo(out: string, source: string, options: Partial<ImportOptions> = {}): Promise<Model> {
  return importModel({ source, out, features: 'last_hidden_state', precision: 'fp32', ...options });
}

async function imported(t: TestContext, options: TestExportOptions = {}): Promise<string> {
  const folder = await temporaryFolder(t);
  return (await importTo(join(folder, 'out'), await writeTestExport(folder, options))).folder;
}

/** Holds that an import fails with `message`, in one line, and leaves nothing in its folder. */
async function assertRefused(source: string, message: RegExp, options: Partial<ImportOptions> = {}) {
  const folder = dirname(dirname(source));
  const before = await readdir(folder);
  await assert.rejects(importTo(join(folder, 'models', 'out'), source, options), (error: unknown) => {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, 'invalid_argument');
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
  assert.deepEqual(await readdir(folder), before);
}

async function refuses(
  t: TestContext,
  message: RegExp,
  options: TestExportOptions = {},
  change: (path: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const path = await writeTestExport(await temporaryFolder(t), options);
  await change(path);
  await assertRefused(path, message);
}

async function assertGolden(
  folder: string,
  {
    allowed = tolerance,
    images = ['alpha.png'],
  }: { readonly allowed?: number; readonly images?: string[] } = {},
): Promise<void> {
  for (const image of images) {
    const tokens = await runGraph(folder, [await viewOf(image, 512, 'apply')]);
    const expected = await expectedTokens(`encode-${image}.npy`);
    assert.deepEqual(tokens.shape, [1, 1024, 32]);
    const difference = largestDifference(tokens.float32, expected);
    assert.ok(difference <= allowed, `${difference}`);
    const halves = Array.from(tokens.float16, halfValue);
    assert.ok(largestDifference(halves, tokens.float32) <= 2e-3);
    assert.deepEqual([tokens.finite, tokens.finiteFloat16], [[true], [true]]);
  }
}

describe('import of an ONNX export', () => {
  for (const storage of ['raw', 'floats', 'external', 'files'] as const) {
    it(`gives transformers' tokens with weights as ${storage}`, async (t) => {
      await assertGolden(await imported(t, { storage }), {
        images: ['alpha.png', 'rocket.jpg', 'document.png'],
      });
    });
  }

  for (const opset of [13, 17, 18, 21]) {
    it(`takes opset ${opset}`, async (t) => assertGolden(await imported(t, { opset })));
  }

  it('drops a class token', async (t) => assertGolden(await imported(t, { classToken: true })));

  it('takes float16 in and out', async (t) => {
    await assertGolden(await imported(t, { type: 'float16' }), { allowed: 2e-2 });
  });

  it('gives a batch the tokens of its views alone', async (t) => {
    const folder = await imported(t);
    const views = [];
    for (const image of ['alpha.png', 'document.png', 'coffee.png'])
      views.push(await viewOf(image, 512, 'apply'));
    const batch = await runGraph(folder, views);
    assert.deepEqual(batch.shape, [3, 1024, 32]);
    for (const [i, view] of views.entries()) {
      const { float32 } = await runGraph(folder, [view]);
      const own = batch.float32.subarray(i * float32.length, (i + 1) * float32.length);
      assert.ok(largestDifference(own, float32) <= tolerance);
    }
  });

  it('describes what it made, as loading the folder does', async (t) => {
    const folder = await temporaryFolder(t);
    const seen: [number, number][] = [];
    const model = await importTo(join(folder, 'hd'), await writeTestExport(folder), {
      onProgress: (done, total) => seen.push([done, total]),
    });
    assert.deepEqual(model, await loadModelFolder(join(folder, 'hd')));
    assert.deepEqual({ ...model, digest: '' }, {
      name: 'hd',
      folder: join(folder, 'hd'),
      digest: '',
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
      towerDigest: model.towerDigest,
    } satisfies Model);
    assert.equal(seen.at(-1)![0], seen.at(-1)![1]);
    const json = JSON.parse(await readFile(join(folder, 'hd', 'model.json'), 'utf8')) as {
      provenance: unknown;
    };
    assert.deepEqual(json.provenance, { source: 'vision_model.onnx', storedDtype: 'F32' });
  });

  it('keeps large weights out of the graph, each on a page of its own', async (t) => {
    const folder = await imported(t);
    const graph = await readFile(join(folder, 'encoder.onnx'));
    assert.ok(graph.byteLength < 60_000, `${graph.byteLength}`);
    const offsets = [...graph.toString('latin1').matchAll(/offset..(\d+)/gs)].map(([, digits]) =>
      Number(digits),
    );
    // The convolution, the positions, and six matrices a layer.
    assert.equal(offsets.length, 20);
    assert.ok(offsets.every((offset) => offset % 4096 === 0));
  });

  it('gives the same digest wherever the export keeps its weights', async (t) => {
    const digests = new Set<string>();
    for (const storage of ['external', 'files'] as const) {
      digests.add((await loadModelFolder(await imported(t, { storage }))).digest);
    }
    assert.equal(digests.size, 1);
  });

  it('finds the JSON files beside the graph too', async (t) => {
    const folder = await temporaryFolder(t);
    const path = await writeTestExport(folder);
    for (const file of ['config.json', 'preprocessor_config.json']) {
      await rename(join(folder, file), join(folder, 'onnx', file));
    }
    await importTo(join(folder, 'out'), path);
  });

  it('needs no graph inputs for initialisers that are listed as such', async (t) => {
    const scalar = new ProtoMessage().int(2, 1).string(8, 'old').bytes(9, new Uint8Array(4));
    await assertGolden(
      await imported(t, {
        addToGraph: (graph) => graph.message(5, scalar).message(11, port('old', 1, [])),
      }),
    );
  });

  it('is cancelled by its signal and leaves nothing', async (t) => {
    const folder = await temporaryFolder(t);
    const path = await writeTestExport(folder);
    const before = await readdir(folder);
    const signal = AbortSignal.abort();
    await assert.rejects(importTo(join(folder, 'out'), path, { signal }), { code: 'cancelled' });
    assert.deepEqual(await readdir(folder), before);
  });
});

describe('import of an ONNX export refuses', () => {
  it('what is no ONNX file', (t) =>
    refuses(t, /^vision_model\.onnx is no ONNX file/, {}, (path) =>
      writeFile(path, 'version https://git-lfs'),
    ));

  it('an empty file', (t) =>
    refuses(t, /^vision_model\.onnx is no ONNX file: it has no graph\.$/, {}, (path) => writeFile(path, '')));

  it('a truncated file', (t) =>
    refuses(t, /^vision_model\.onnx is no ONNX file, or truncated or damaged/, {}, (path) =>
      truncate(path, 90_000),
    ));

  it('a file that is not there, and a folder', async (t) => {
    const folder = await temporaryFolder(t);
    await assertRefused(join(folder, 'a', 'b.onnx'), /b\.onnx does not exist\.$/);
    const path = await writeTestExport(join(folder, 'd', 'c.onnx'));
    await assertRefused(dirname(dirname(path)), /c\.onnx is not a file\.$/);
  });

  it('a graph without pixel_values or last_hidden_state, and names what there is', async (t) => {
    await refuses(t, /has no input pixel_values; its inputs are: image\.$/, { inputName: 'image' });
    const message = /has no output last_hidden_state; its outputs are: hidden, pooler_output\.$/;
    await refuses(t, message, { outputName: 'hidden' });
  });

  it('a graph that needs text', (t) =>
    refuses(t, /needs the inputs input_ids as well; import the vision model alone\.$/, {
      addToGraph: (graph) => graph.message(11, port('input_ids', 7, ['batch_size', 64])),
    }));

  it('a fixed batch', async (t) => {
    await refuses(t, /has pixel_values of a fixed batch of 1; export it with a dynamic batch size\.$/, {
      inputShape: [1, 3, 512, 512],
    });
    await refuses(t, /has last_hidden_state of a fixed batch of 4/, { outputShape: [4, 1024, 32] });
  });

  it('shapes that config.json does not make', async (t) => {
    await refuses(
      t,
      /has pixel_values of the shape \[\?, 3, 384, 384\]; config.json makes it \[\?, 3, 512, 512\]\.$/,
      {
        inputShape: ['batch', 3, 384, 384],
      },
    );
    await refuses(t, /\[\?, 196, 32\]; config.json makes it \[\?, 1024 or 1025, 32\]\.$/, {
      outputShape: ['batch', 196, 32],
    });
    await refuses(t, /has last_hidden_state of the shape \[\?, 32\]; expected 3 dimensions\.$/, {
      outputShape: ['batch', 32],
    });
  });

  it('an opset before 13', (t) => refuses(t, /uses opset 11; export it with opset 13/, { opset: 11 }));

  it('operators of an unknown domain, but not those of the file itself', async (t) => {
    const addToGraph = (graph: ProtoMessage) =>
      graph.message(1, node('Own', ['pixel_values'], 'own', {}, 'my.company'));
    await refuses(t, /has operators of my\.company, as Own, which ONNX Runtime does not know\.$/, {
      addToGraph,
    });
    const folder = await temporaryFolder(t);
    const addToModel = (model: ProtoMessage) =>
      model.message(25, new ProtoMessage().string(1, 'Own').string(10, 'my.company'));
    await importTo(join(folder, 'out'), await writeTestExport(folder, { addToGraph, addToModel }));
  });

  it('cycles, values given twice, and values that nothing gives', async (t) => {
    await refuses(t, /is damaged: node Add reads b, which nothing before it gives\.$/, {
      addToGraph: (graph) =>
        graph.message(1, node('Add', ['b', 'b'], 'a')).message(1, node('Add', ['a', 'a'], 'b')),
    });
    await refuses(t, /is damaged: pixel_values is given twice\.$/, {
      addToGraph: (graph) => graph.message(1, node('Identity', ['positions'], 'pixel_values')),
    });
    await refuses(t, /is damaged: nothing gives its output ghost\.$/, {
      addToGraph: (graph) => graph.message(12, port('ghost', 1, [])),
    });
  });

  it('names that it gives itself', (t) =>
    refuses(t, /has a value with the name finite, which the import gives to another\.$/, {
      addToGraph: (graph) => graph.message(1, node('Identity', ['pixel_values'], 'finite')),
    }));

  it('weights in a file that is missing, too short, or outside the folder', async (t) => {
    const storage = 'external';
    const data = (path: string) => `${path}_data`;
    await refuses(t, /needs vision_model\.onnx_data beside it, which is missing\.$/, { storage }, (path) =>
      rm(data(path)),
    );
    await refuses(
      t,
      /needs bytes \d+ to \d+ of vision_model\.onnx_data, which has only 9000\.$/,
      { storage },
      (path) => truncate(data(path), 9000),
    );
    for (const location of ['../secret', '/etc/passwd', 'a/../../b', '..\\b', 'C:x', '', './x']) {
      await refuses(t, /in ".*", which is no file of its folder\.$/, {
        storage,
        entries: (entries) => ({ ...entries, location }),
      });
    }
    for (const offset of ['-4', '1e3', '99999999999999999999']) {
      await refuses(t, /has \d+ bytes at NaN of vision_model\.onnx_data/, {
        storage,
        entries: (entries) => ({ ...entries, offset }),
      });
    }
    await refuses(t, /has 7 bytes at 4 of vision_model\.onnx_data, its shape makes it 98304 bytes\.$/, {
      storage,
      entries: (entries) => ({ ...entries, length: '7' }),
    });
  });

  it('weights of another file within a node', async (t) => {
    const external = new ProtoMessage()
      .int(14, 1)
      .message(13, new ProtoMessage().string(1, 'location').string(2, '/etc/passwd'));
    const constant = node('Constant', [], 'c').message(
      5,
      new ProtoMessage().string(1, 'value').message(5, external),
    );
    const message = /has a node whose tensor lies in another file/;
    await refuses(t, message, { addToGraph: (graph) => graph.message(1, constant) });
    const body = new ProtoMessage().message(1, constant);
    const branch = node('If', [], 'd').message(
      5,
      new ProtoMessage().string(1, 'then_branch').message(6, body),
    );
    await refuses(t, message, { addToGraph: (graph) => graph.message(1, branch) });
    await refuses(t, message, {
      addToModel: (model) => model.message(25, new ProtoMessage().message(7, constant)),
    });
  });

  it('weights that are not of their shape', (t) =>
    refuses(t, /is damaged: initialiser short has 4 bytes, its shape makes it 12\.$/, {
      addToGraph: (graph) =>
        graph.message(
          5,
          new ProtoMessage().int(1, 3).int(2, 1).string(8, 'short').bytes(9, new Uint8Array(4)),
        ),
    }));

  it('missing JSON files', (t) =>
    refuses(t, /^config\.json is missing in .* and in the folder above/, {}, (path) =>
      rm(join(dirname(dirname(path)), 'config.json')),
    ));

  it('other features and another precision', async (t) => {
    const path = await writeTestExport(await temporaryFolder(t));
    await assertRefused(path, /gives last_hidden_state alone; for penultimate import the checkpoint/, {
      features: 'penultimate',
    });
    await assertRefused(path, /is fp32 and keeps its own precision; for fp16 import/, { precision: 'fp16' });
  });
});
