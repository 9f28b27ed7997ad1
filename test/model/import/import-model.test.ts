import assert from 'node:assert/strict';
import { cp, mkdir, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { importModel, type ImportOptions } from '../../../src/model/import/import-model.ts';
import { checkConfiguration } from '../../../src/model/import/import-checkpoint.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';
import type { Model } from '../../../src/model/model.ts';
import { so400m } from '../../../bench/models/encoders.ts';
import { towerTensors, writeRandomCheckpoint } from '../../../bench/models/random-checkpoint.ts';
import { changedCheckpoint, configuredCheckpoint, type TestTensor } from './checkpoints.ts';
import { fixture, temporaryFolder } from './fixtures.ts';
import { largestDifference, runGraph } from './run-graph.ts';

function importTo(out: string, source: string, options: Partial<ImportOptions> = {}): Promise<Model> {
  return importModel({ source, out, features: ['last_hidden_state'], precision: 'fp32', ...options });
}

/** Holds that an import fails with `message`, in one line, and leaves nothing in its folder but the checkpoint. */
async function assertRefused(
  folder: string,
  source: string,
  message: RegExp,
  options: Partial<ImportOptions> = {},
): Promise<void> {
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

function tensor(tensors: Map<string, TestTensor>, name: string): TestTensor {
  const found = tensors.get(name);
  assert.ok(found);
  return found;
}

const fc1 = 'encoder.layers.1.mlp.fc1.weight';

describe('import', () => {
  it('refuses a folder that the system never lets be made, and parents that are not there', async () => {
    for (const out of ['/proc/x', '/proc/x/y/z']) {
      await assert.rejects(importTo(out, fixture('siglip-tiny')), {
        code: 'invalid_argument',
        message: /^\/proc\/x(\/y)? cannot be made: no such file or directory\.$/,
      });
    }
  });

  it('says that its source does not exist, or is a file', async (t) => {
    const folder = await temporaryFolder(t);
    const absent = join(folder, 'absent');
    await assert.rejects(importTo(join(folder, 'out'), absent), { message: `${absent} does not exist.` });
    const file = join(folder, 'file');
    await writeFile(file, '');
    await assert.rejects(importTo(join(folder, 'out'), file), {
      message: `${file} is neither a folder nor a .onnx file.`,
    });
    assert.deepEqual(await readdir(folder), ['file']);
  });

  it('names the ONNX export of a folder that has no other weights', async (t) => {
    const folder = await temporaryFolder(t);
    const source = join(folder, 'source');
    await mkdir(join(source, 'onnx'), { recursive: true });
    await cp(join(fixture('siglip-tiny'), 'config.json'), join(source, 'config.json'));
    const exported = join(source, 'onnx', 'vision_model.onnx');
    await writeFile(exported, '');
    await assert.rejects(importTo(join(folder, 'out'), source), {
      code: 'invalid_argument',
      message: `${source} has ONNX exports in place of weights; give the .onnx file: ${exported}.`,
    });
    await writeFile(join(source, 'onnx', 'vision_model_fp16.onnx'), '');
    await assert.rejects(importTo(join(folder, 'out'), source), {
      message: /vision_model\.onnx, or another of its 2 exports\.$/,
    });
  });

  it('describes what it made, as loading the folder does', async (t) => {
    const folder = await temporaryFolder(t);
    const seen: [number, number][] = [];
    const model = await importTo(join(folder, 'hd'), fixture('siglip-tiny'), {
      onProgress: (done, total) => seen.push([done, total]),
    });
    assert.deepEqual(model, await loadModelFolder(join(folder, 'hd')));
    assert.match(model.digest, /^sha256:[0-9a-f]{64}$/);
    assert.match(model.towerDigest, /^[0-9a-f]{64}$/);
    assert.deepEqual({ ...model, digest: '', towerDigest: '' }, {
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
      towerDigest: '',
    } satisfies Model);
    const done = seen.map(([bytes]) => bytes);
    assert.deepEqual(
      done,
      done.toSorted((x, y) => x - y),
    );
    assert.equal(seen.at(-1)![0], seen.at(-1)![1]);
    assert.deepEqual(await readdir(folder), ['hd']);
  });

  it('takes 384 px with patches of 14 as 27 x 27 tokens', async (t) => {
    const model = await importTo(join(await temporaryFolder(t), 'out'), fixture('siglip-tiny-27'));
    assert.deepEqual(model.grid, { width: 27, height: 27 });
  });

  it("crops with a CLIP checkpoint's own preprocessing, and squashes when told to", async (t) => {
    const folder = await temporaryFolder(t);
    const cropping = await importTo(join(folder, 'crop'), fixture('clip-tiny'));
    assert.deepEqual(
      [cropping.architecture, cropping.resize, cropping.resample],
      ['clip', 'crop', 'bicubic'],
    );
    assert.deepEqual(cropping.grid, { width: 24, height: 24 });
    const squashing = await importTo(join(folder, 'squash'), fixture('clip-tiny'), { resize: 'squash' });
    assert.equal(squashing.resize, 'squash');
    assert.notEqual(squashing.digest, cropping.digest);
  });

  it('takes another image size, and tells that the tower is the same', async (t) => {
    const folder = await temporaryFolder(t);
    const own = await importTo(join(folder, '512'), fixture('siglip-tiny'));
    const larger = await importTo(join(folder, '1024'), fixture('siglip-tiny'), { imageSize: 1024 });
    assert.deepEqual([larger.imageSize, larger.grid], [1024, { width: 64, height: 64 }]);
    assert.notEqual(larger.digest, own.digest);
    assert.equal(larger.towerDigest, own.towerDigest);
    const other = await importTo(join(folder, 'other'), fixture('siglip-tiny'), { features: ['pre_norm'] });
    assert.notEqual(other.towerDigest, own.towerDigest);
    await assert.rejects(importTo(join(folder, '15'), fixture('siglip-tiny'), { imageSize: 15 }), {
      code: 'invalid_argument',
      message: 'The image size 15 is smaller than one patch of this model, 16 x 16 pixels.',
    });
  });

  it('gives shards of a two-tower checkpoint with defaults left out the digest of the same tower alone', async (t) => {
    const folder = await temporaryFolder(t);
    const sharded = await importTo(join(folder, 'sharded'), fixture('siglip-tiny-sharded'));
    const single = await importTo(join(folder, 'single'), fixture('siglip-tiny'));
    assert.equal(sharded.digest, single.digest);
  });

  it('needs no shard that holds nothing of the vision tower', async (t) => {
    const folder = await temporaryFolder(t);
    const source = join(folder, 'checkpoint');
    await cp(fixture('siglip-tiny-sharded'), source, { recursive: true });
    const path = join(source, 'model.safetensors.index.json');
    const index = JSON.parse(await readFile(path, 'utf8')) as { weight_map: Record<string, string> };
    index.weight_map['text_model.head.weight'] = 'model-00003-of-00003.safetensors';
    await writeFile(path, JSON.stringify(index));
    await importTo(join(folder, 'out'), source);
  });

  it('gives another digest for other features, precision, resampling or weights', async (t) => {
    const folder = await temporaryFolder(t);
    const digests = new Set<string>();
    const source = fixture('siglip-tiny');
    digests.add((await importTo(join(folder, '1'), source)).digest);
    digests.add((await importTo(join(folder, '2'), source, { features: ['pre_norm'] })).digest);
    digests.add((await importTo(join(folder, '3'), source, { precision: 'fp16' })).digest);
    const bicubic = await configuredCheckpoint(folder, 'preprocessor_config.json', { resample: 3 });
    const model = await importTo(join(folder, '4'), bicubic);
    assert.equal(model.resample, 'bicubic');
    digests.add(model.digest);
    const changed = await changedCheckpoint(join(folder, 'c'), (tensors) => {
      tensor(tensors, 'post_layernorm.bias').data.writeFloatLE(0.25);
    });
    digests.add((await importTo(join(folder, '5'), changed)).digest);
    assert.equal(digests.size, 5);
  });

  it('fills what preprocessor_config.json leaves out with the defaults of SiglipImageProcessor', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await configuredCheckpoint(folder, 'preprocessor_config.json', {
      image_mean: undefined,
      image_std: null,
      rescale_factor: undefined,
      resample: undefined,
      size: undefined,
      do_normalize: undefined,
      do_rescale: undefined,
    });
    const model = await importTo(join(folder, 'out'), source);
    assert.equal(model.resample, 'bicubic');
    const json = JSON.parse(await readFile(join(folder, 'out', 'model.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    assert.deepEqual(json['normalisation'], {
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
  });

  for (const [dtype, bound] of [
    ['F16', 2e-2],
    ['BF16', 0.1],
  ] as const) {
    it(`takes ${dtype} tensors under either kind of names`, async (t) => {
      const folder = await temporaryFolder(t);
      const geometry = { ...so400m, imageSize: 64, channels: 32, layers: 2, heads: 2, mlpChannels: 64 };
      const view = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) >> 5);
      const results = [];
      for (const [name, kind, names] of [
        ['exact', 'F32', 'two-tower'],
        ['two', dtype, 'two-tower'],
        ['one', dtype, 'vision-only'],
      ] as const) {
        await writeRandomCheckpoint(join(folder, name), { geometry, dtype: kind, names, seed: 3 });
        const model = await importTo(join(folder, `${name}-model`), join(folder, name));
        results.push({ digest: model.digest, tokens: (await runGraph(model.folder, [view])).float32 });
      }
      const [exact, two, one] = results;
      assert.equal(two!.digest, one!.digest);
      assert.notEqual(two!.digest, exact!.digest);
      const difference = largestDifference(exact!.tokens, two!.tokens);
      assert.ok(difference > 0 && difference < bound, `${difference}`);
    });
  }

  it('takes gelu of the error function', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await configuredCheckpoint(folder, 'config.json', { hidden_act: 'gelu' });
    const view = Uint8Array.from({ length: 512 * 512 * 3 }, (_, i) => (i * 7919) >> 5);
    const erf = await runGraph((await importTo(join(folder, 'erf'), source)).folder, [view]);
    const tanh = await runGraph((await importTo(join(folder, 'tanh'), fixture('siglip-tiny'))).folder, [
      view,
    ]);
    const difference = largestDifference(erf.float32, tanh.float32);
    assert.ok(difference > 0 && difference < 1e-2, `${difference}`);
  });

  it('ends with `cancelled` when its signal fires, leaving nothing', async (t) => {
    const folder = await temporaryFolder(t);
    const controller = new AbortController();
    const running = importTo(join(folder, 'models', 'out'), fixture('siglip-tiny'), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await assert.rejects(running, { code: 'cancelled' });
    assert.deepEqual(await readdir(folder), []);
  });
});

describe('the configuration of a checkpoint', () => {
  it('can be checked before its weights are there', async (t) => {
    const folder = await temporaryFolder(t);
    const refused: readonly [Record<string, unknown>, RegExp][] = [
      [{ image_processor_type: 'Siglip2ImageProcessor' }, /no fixed size/],
      [{ image_std: 0 }, /image_std/],
    ];
    for (const [index, [fields, message]] of refused.entries()) {
      const source = await configuredCheckpoint(join(folder, `${index}`), 'preprocessor_config.json', fields);
      await rm(join(source, 'model.safetensors'));
      await assert.rejects(checkConfiguration(source), { code: 'invalid_argument', message });
    }
    const chosen = { do_center_crop: true, crop_size: 224 };
    const source = await configuredCheckpoint(join(folder, 'chosen'), 'preprocessor_config.json', chosen);
    await checkConfiguration(source);
    await importTo(join(folder, 'out'), source, { resize: 'squash' });
  });
});

describe('So400m/16-512 checkpoint', () => {
  it('has the tensors and the parameters of the real one', () => {
    const tensors = towerTensors(so400m);
    const parameters = tensors.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
    assert.equal(tensors.length, 448);
    assert.equal(
      parameters.reduce((sum, count) => sum + count, 0),
      428_772_800,
    );
  });

  it('has the names of the fixture at its geometry', async () => {
    const file = await readFile(fixture('siglip-tiny/model.safetensors'));
    const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE()))) as Record<
      string,
      { shape: number[] }
    >;
    const made = towerTensors({ ...so400m, channels: 32, layers: 3, heads: 2, mlpChannels: 80 });
    assert.deepEqual(
      new Map(made.map(({ name, shape }) => [name, shape])),
      new Map(made.map(({ name }) => [name, header[name]?.shape])),
    );
    assert.equal(made.length, Object.keys(header).length - 1);
  });
});

describe('import into a folder that is there', () => {
  it('takes an empty one', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'out'));
    await importTo(join(folder, 'out'), fixture('siglip-tiny'));
  });

  it('refuses one with anything in it, and leaves that alone', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'out');
    await mkdir(out);
    await writeFile(join(out, 'notes.txt'), 'mine');
    for (const force of [false, true]) {
      await assert.rejects(importTo(out, fixture('siglip-tiny'), { force }), {
        code: 'invalid_argument',
        message: force ? /is not a model folder, so it is not replaced/ : /exists already; .* --force\.$/,
      });
    }
    assert.deepEqual(await readdir(folder), ['out']);
    assert.deepEqual(await readdir(out), ['notes.txt']);
  });

  it('refuses a file', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'out'), '');
    await assert.rejects(importTo(join(folder, 'out'), fixture('siglip-tiny')), {
      code: 'invalid_argument',
      message: /is a file/,
    });
  });

  it('refuses one that another process makes meanwhile', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'out');
    const source = fixture('siglip-tiny');
    const others: Promise<Model>[] = [];
    const first = importTo(out, source, {
      onProgress: () => {
        if (others.length === 0) others.push(importTo(out, source));
      },
    });
    const [one] = await Promise.allSettled([first]);
    const ended = [one, ...(await Promise.allSettled(others))];
    assert.deepEqual(ended.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const refused = ended.find((end) => end.status === 'rejected');
    assert.match(String(refused?.reason), /exists already/);
    assert.deepEqual(await readdir(folder), ['out']);
    await loadModelFolder(out);
  });

  it('replaces a model folder with `force`, and keeps it when the import fails', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'out');
    const first = await importTo(out, fixture('siglip-tiny'));
    await assert.rejects(importTo(out, fixture('siglip-tiny'), { features: ['pre_norm'] }), {
      message: /exists already/,
    });
    await assert.rejects(importTo(out, join(folder, 'nowhere'), { force: true }));
    assert.equal((await loadModelFolder(out)).digest, first.digest);
    const second = await importTo(out, fixture('siglip-tiny'), { features: ['pre_norm'], force: true });
    assert.equal((await loadModelFolder(out)).digest, second.digest);
    assert.notEqual(first.digest, second.digest);
    assert.deepEqual(await readdir(folder), ['out']);
  });
});

describe('import refuses', () => {
  const tensorCases: readonly [
    string,
    (tensors: Map<string, TestTensor>) => void,
    RegExp,
    Partial<ImportOptions>?,
  ][] = [
    [
      'a missing tensor',
      (tensors) => tensors.delete(fc1),
      /^Tensor encoder\.layers\.1\.mlp\.fc1\.weight is missing/,
    ],
    [
      'a checkpoint without a vision tower',
      (tensors) => tensors.delete('embeddings.patch_embedding.weight'),
      /^The checkpoint has no SigLIP or CLIP vision tower: no tensor is named embeddings\.patch_embedding\.weight,/,
    ],
    [
      'a tensor of another shape',
      (tensors) => (tensor(tensors, fc1).shape = [32, 80]),
      /^Tensor encoder\.layers\.1\.mlp\.fc1\.weight has shape \[32, 80\]; config\.json makes it \[80, 32\]/,
    ],
    [
      'a tensor of integers',
      (tensors) => (tensor(tensors, fc1).dtype = 'I32'),
      /^Tensor encoder\.layers\.1\.mlp\.fc1\.weight is I32; F32, F16, BF16/,
    ],
    [
      'a NaN weight',
      (tensors) => tensor(tensors, fc1).data.writeFloatLE(Number.NaN, 400),
      /^Tensor encoder\.layers\.1\.mlp\.fc1\.weight has a weight that is NaN or infinite/,
    ],
    [
      'an infinite weight',
      (tensors) => tensor(tensors, 'post_layernorm.bias').data.writeFloatLE(-Infinity),
      /^Tensor post_layernorm\.bias has a weight that is NaN or infinite/,
    ],
    [
      'a weight beyond float16 with fp16',
      (tensors) => tensor(tensors, fc1).data.writeFloatLE(70_000, 400),
      /^Tensor encoder\.layers\.1\.mlp\.fc1\.weight has a weight beyond float16's 65504; import with --precision fp32/,
      { precision: 'fp16' },
    ],
  ];
  for (const [what, change, message, options] of tensorCases) {
    it(what, async (t) => {
      const folder = await temporaryFolder(t);
      await assertRefused(folder, await changedCheckpoint(folder, change), message, options);
    });
  }

  const configCases: readonly [string, Record<string, unknown>, RegExp][] = [
    ['NaFlex', { model_type: 'siglip2' }, /model_type "siglip2" is a NaFlex checkpoint/],
    ['a NaFlex vision tower', { model_type: 'siglip2_vision_model' }, /is a NaFlex checkpoint/],
    [
      'NaFlex under vision_config',
      { vision_config: { model_type: 'siglip2_vision_model' } },
      /vision_config: .*NaFlex/,
    ],
    [
      'BLIP',
      { model_type: 'blip' },
      /model_type "blip" is not supported; expected siglip, .* or clip_vision_model/,
    ],
    [
      'the tower of another family',
      { model_type: 'clip' },
      /^Tensor embeddings\.patch_embedding\.bias of the vision tower does not belong to a CLIP tower/,
    ],
    [
      'an architecture without a model_type',
      { model_type: null, architectures: ['ViTModel'] },
      /"ViTModel" is not supp/,
    ],
    ['no architecture at all', { model_type: null, architectures: null }, /model_type is missing/],
    ['a vision_config that is a list', { vision_config: [] }, /vision_config is not a JSON object/],
    ['a hidden size of text', { hidden_size: '32' }, /hidden_size must be a whole number .* not "32"/],
    [
      'heads that do not divide the channels',
      { num_attention_heads: 5 },
      /num_attention_heads must be a divisor/,
    ],
    ['patches larger than the image', { patch_size: 1_000 }, /patch_size must be a whole number/],
    ['four colour channels', { num_channels: 4 }, /num_channels must be/],
    [
      'another activation',
      { hidden_act: 'relu' },
      /hidden_act must be gelu_pytorch_tanh, gelu or quick_gelu, not "relu"/,
    ],
    ['an epsilon of zero', { layer_norm_eps: 0 }, /layer_norm_eps must be a number above 0/],
    [
      'more layers than tensors',
      { num_hidden_layers: 4 },
      /^The checkpoint has no tensors of layer 3 of the vision tower, .* num_hidden_layers 4: get the whole/,
    ],
    [
      'fewer layers than tensors',
      { num_hidden_layers: 2 },
      /^The vision tower has 3 layers, but config\.json says num_hidden_layers 2: set it to 3/,
    ],
    [
      'an image size of other positions',
      { image_size: 384 },
      /^Tensor embeddings\.position_embedding\.weight has shape \[1024, 32\]; config\.json makes it \[576, 32\]/,
    ],
  ];
  for (const [what, fields, message] of configCases) {
    it(`${what} in config.json`, async (t) => {
      const folder = await temporaryFolder(t);
      await assertRefused(folder, await configuredCheckpoint(folder, 'config.json', fields), message);
    });
  }

  const preprocessorCases: readonly [string, Record<string, unknown>, RegExp][] = [
    ['another filter', { resample: 4 }, /resample must be 1 \(lanczos\), 2 .* or 3 \(bicubic\), not 4/],
    ['two means', { image_mean: [0.5, 0.5] }, /image_mean must be a list of three numbers/],
    ['a standard deviation of zero', { image_std: [0.5, 0, 0.5] }, /image_std must be numbers above 0/],
    ['a rescale factor of text', { rescale_factor: '1/255' }, /rescale_factor must be a number above 0/],
  ];
  for (const [what, fields, message] of preprocessorCases) {
    it(`${what} in preprocessor_config.json`, async (t) => {
      const folder = await temporaryFolder(t);
      await assertRefused(
        folder,
        await configuredCheckpoint(folder, 'preprocessor_config.json', fields),
        message,
      );
    });
  }

  const fileCases: readonly [string, string, (path: string) => Promise<void>, RegExp][] = [
    ['a folder without config.json', 'config.json', rm, /^config\.json is missing in/],
    [
      'a config.json that is not JSON',
      'config.json',
      (path) => writeFile(path, '{'),
      /^config\.json is not valid JSON/,
    ],
    [
      'a folder without preprocessor_config.json',
      'preprocessor_config.json',
      rm,
      /^preprocessor_config\.json is missing in/,
    ],
    [
      'a folder without an index',
      'model.safetensors.index.json',
      rm,
      /has no weights to import: expected one of model\.safetensors, .*, pytorch_model\.bin\.index\.json; it has model-00001-of-\d+\.safetensors, /,
    ],
    [
      'an adapter beside the weights',
      'adapter_config.json',
      (path: string) => writeFile(path, '{"peft_type":"LORA"}'),
      /has an adapter \(adapter_config\.json\), which is not applied here\. Merge it with PEFT's merge_and_unload\(\)/,
    ],
    [
      'a missing shard',
      'model-00002-of-00002.safetensors',
      rm,
      /^model-00002-of-00002\.safetensors is missing/,
    ],
    [
      'a truncated shard',
      'model-00002-of-00002.safetensors',
      (path) => truncate(path, 60_000),
      /^model-00002-of-00002\.safetensors is truncated: tensor \S+ ends at byte \d+, the file at 60000/,
    ],
    [
      'a shard that is only a pointer of Git LFS',
      'model-00001-of-00002.safetensors',
      (path) => writeFile(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 301556\n'),
      /^model-00001-of-00002\.safetensors is only a pointer of Git LFS; "git lfs pull" downloads the file itself\.$/,
    ],
    [
      'a shard that is a folder',
      'model-00001-of-00002.safetensors',
      async (path) => {
        await rm(path);
        await mkdir(path);
      },
      /^model-00001-of-00002\.safetensors is not a file\.$/,
    ],
    [
      'an index that points out of the folder',
      'model.safetensors.index.json',
      (path) =>
        writeFile(path, '{"weight_map":{"embeddings.patch_embedding.weight":"../model.safetensors"}}'),
      /weight_map: embeddings\.patch_embedding\.weight must be the name of a \.safetensors or \.bin file/,
    ],
  ];
  for (const [what, file, change, message] of fileCases) {
    it(what, async (t) => {
      const folder = await temporaryFolder(t);
      const source = join(folder, 'checkpoint');
      await cp(fixture('siglip-tiny-sharded'), source, { recursive: true });
      await change(join(source, file));
      await assertRefused(folder, source, message);
    });
  }

  it('a checkpoint that shrinks while it is read', async (t: TestContext) => {
    const folder = await temporaryFolder(t);
    const source = await changedCheckpoint(folder, () => undefined);
    const file = join(source, 'model.safetensors');
    let cut: Promise<void> | undefined;
    const out = join(folder, 'out');
    const before = await readdir(folder);
    const gate = { onProgress: () => void (cut ??= truncate(file, 100_000)) };
    await assert.rejects(importTo(out, source, gate), {
      message: /^Tensor \S+ ends early in model\.safetensors/,
    });
    await cut;
    assert.deepEqual(await readdir(folder), before);
  });

  it('a folder that cannot be written, in one line', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'file'), '');
    const out = join(folder, 'file', 'model');
    await assert.rejects(importTo(out, fixture('siglip-tiny')), {
      code: 'invalid_argument',
      message: /file/,
    });
  });
});
