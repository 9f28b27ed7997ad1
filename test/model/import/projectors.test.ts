import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decodeSafetensors, type TestTensor } from './checkpoints.ts';
import { expectedTokens, temporaryFolder } from './fixtures.ts';
import { largestDifference } from './run-graph.ts';
import { changed, checkpoint, embed, importTo, largest } from './vlm-checkpoint.ts';

const families = [
  { name: 'llava-clip', family: 'llava', features: 'penultimate', rows: 16 },
  { name: 'llava-siglip', family: 'llava', features: 'penultimate', rows: 64 },
  { name: 'llava-next', family: 'llava-next', features: 'penultimate', rows: 16 },
  { name: 'llava-onevision', family: 'llava-onevision', features: 'pre_norm', rows: 16 },
  { name: 'llava-original', family: 'llava-original', features: 'penultimate', rows: 16 },
  { name: 'paligemma', family: 'paligemma', features: 'last_hidden_state', rows: 64 },
  { name: 'gemma3', family: 'gemma3', features: 'last_hidden_state', rows: 16 },
  { name: 'smolvlm', family: 'smolvlm', features: 'last_hidden_state', rows: 16 },
  { name: 'idefics3', family: 'idefics3', features: 'last_hidden_state', rows: 4 },
] as const;

describe('the checkpoint of a vision language model', () => {
  for (const { name, family, features, rows } of families) {
    it(`gives the embeddings of transformers: ${name}`, async (t) => {
      const out = join(await temporaryFolder(t), 'out');
      const model = await importTo(out, checkpoint(name));
      const view = `vlm/expected/${name}-encode-views-view-${model.imageSize}.png-embeddings.npy`;
      const expected = await expectedTokens(`../${view}`);
      assert.equal(model.features, features);
      assert.equal(model.projector?.family, family);
      const { encoder, projector } = await embed(model);
      for (const made of [encoder, projector]) {
        assert.deepEqual(made.shape, [1, rows, 48]);
        assert.deepEqual(made.finite, [true]);
        const difference = largestDifference(made.float32, expected);
        assert.ok(difference <= 5e-6 * largest(expected), `${difference}`);
      }
    });
  }

  it('gives nearly the same embeddings in fp16 and, with its matrices in int8, similar ones', async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ['llava-clip', 'gemma3', 'smolvlm']) {
      const exact = (await embed(await importTo(join(folder, name), checkpoint(name)))).encoder.float32;
      for (const [precision, share] of [
        ['fp16', 2e-3],
        ['int8', 0.5],
      ] as const) {
        const out = join(folder, `${name}-${precision}`);
        const { encoder, projector } = await embed(await importTo(out, checkpoint(name), { precision }));
        for (const { float32 } of [encoder, projector]) {
          const difference = largestDifference(float32, exact);
          assert.ok(
            difference > 0 && difference <= share * largest(exact),
            `${name} ${precision} ${difference}`,
          );
        }
      }
    }
  });

  it('is the same model under the names of transformers 4, of its late versions and of wrappers', async (t) => {
    const folder = await temporaryFolder(t);
    const digests = new Map<string, string | undefined>();
    const add = async (name: string, source: string): Promise<void> => {
      digests.set(name, (await importTo(join(folder, name), source)).projector?.digest);
    };
    const wrapped = (tensor: string): string =>
      tensor.replace('multi_modal_projector.', 'multi_modal_projector._orig_mod.');
    await add('llava-clip', checkpoint('llava-clip'));
    await add('llava-clip-tf4', checkpoint('llava-clip-tf4'));
    await add('wrapped', await changed(t, 'llava-clip', { rename: wrapped }));
    for (const prefix of ['module.', '_orig_mod.', 'module._orig_mod.', 'student.', 'module.model.']) {
      await add(prefix, await changed(t, 'llava-clip', { rename: (tensor) => `${prefix}${tensor}` }));
      assert.equal(digests.get(prefix), digests.get('llava-clip'), prefix);
    }
    await add('llava-next', checkpoint('llava-next'));
    await add(
      'module.llava-next',
      await changed(t, 'llava-next', { rename: (tensor) => `module.${tensor}` }),
    );
    assert.equal(digests.get('module.llava-next'), digests.get('llava-next'));
    await add('llava-next-452', checkpoint('llava-next-452'));
    assert.equal(digests.get('llava-clip-tf4'), digests.get('llava-clip'));
    assert.equal(digests.get('wrapped'), digests.get('llava-clip'));
    assert.equal(digests.get('llava-next-452'), digests.get('llava-next'));
    assert.notEqual(digests.get('llava-next'), digests.get('llava-clip'));
  });

  it('keeps its own AnyRes, and the newline as a row of its own', async (t) => {
    const folder = await temporaryFolder(t);
    const next = await importTo(join(folder, 'next'), checkpoint('llava-next'));
    const grids = [
      [2, 1],
      [1, 2],
      [2, 2],
      [1, 3],
      [3, 1],
    ].map(([columns, rows]) => ({ columns, rows }));
    assert.deepEqual(next.anyres, { grids, resample: 'bicubic', maxTiles: 0 });
    const original = await importTo(join(folder, 'original'), checkpoint('llava-original'));
    assert.deepEqual(original.anyres?.grids[0], { columns: 2, rows: 1 });
    const onevision = await importTo(join(folder, 'onevision'), checkpoint('llava-onevision'));
    assert.deepEqual([onevision.anyres?.grids.length, onevision.anyres?.maxTiles], [36, 9]);
    const row = await readFile(join(folder, 'next', 'newline.bin'));
    const stored = decodeSafetensors(await readFile(join(checkpoint('llava-next'), 'model.safetensors')));
    assert.deepEqual(row, stored.get('image_newline')?.data);
    assert.equal(next.projector?.newline, true);
  });

  it('has no AnyRes of its own where LLaVA does not merge its tiles into an unpadded map', async (t) => {
    const folder = await temporaryFolder(t);
    const source = join(folder, 'flat');
    await cp(checkpoint('llava-original'), source, { recursive: true });
    const path = join(source, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    for (const mm_patch_merge_type of ['flat', 'spatial', undefined]) {
      await writeFile(path, JSON.stringify({ ...config, mm_patch_merge_type }));
      const model = await importTo(join(folder, 'out'), source, { force: true });
      assert.equal(model.anyres, undefined);
      assert.equal(model.projector?.newline, false);
    }
  });

  it('has a digest that follows the newline, the projector and the AnyRes', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await importTo(join(folder, 'first'), checkpoint('llava-next'));
    const nudge = (name: string) => (tensors: Map<string, TestTensor>) => {
      tensors.get(name)!.data.writeFloatLE(0.25, 0);
    };
    for (const name of ['image_newline', 'multi_modal_projector.linear_2.bias']) {
      const other = await importTo(
        join(folder, name),
        await changed(t, 'llava-next', { tensors: nudge(name) }),
      );
      assert.notEqual(other.projector?.digest, first.projector?.digest);
      assert.notEqual(other.digest, first.digest);
      assert.equal(other.towerDigest, first.towerDigest);
    }
    const config = { image_grid_pinpoints: [[56, 112]] };
    const fewer = await importTo(join(folder, 'fewer'), await changed(t, 'llava-next', { config }));
    assert.equal(fewer.projector?.digest, first.projector?.digest);
    assert.notEqual(fewer.digest, first.digest);
  });

  it('imports as a tower alone when that is asked for', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    for (const name of ['llava-next', 'llava-original']) {
      const model = await importTo(out, checkpoint(name), { towerOnly: true, force: true });
      assert.deepEqual([model.projector, model.anyres], [undefined, undefined]);
      assert.equal(model.features, 'last_hidden_state');
    }
  });

  const refusals: readonly [string, string, Parameters<typeof changed>[2], RegExp][] = [
    [
      'without a projector',
      'llava-clip',
      { rename: (tensor) => (tensor.startsWith('multi_modal') ? undefined : tensor) },
      /^The checkpoint has no projector: tensor multi_modal_projector\.linear_1\.weight is missing\. --tower-only imports/,
    ],
    [
      'with half a projector',
      'llava-clip',
      { rename: (tensor) => (tensor.endsWith('linear_2.weight') ? undefined : tensor) },
      /^The projector is incomplete: tensor multi_modal_projector\.linear_2\.weight is missing\.$/,
    ],
    [
      'with a tensor of its projector twice',
      'llava-clip',
      {
        tensors: (tensors) => {
          const bias = tensors.get('multi_modal_projector.linear_1.bias')!;
          const other = Buffer.alloc(bias.data.byteLength);
          tensors.set('model.multi_modal_projector.linear_1.bias', { ...bias, data: other });
        },
      },
      /^Tensors multi_modal_projector\.linear_1\.bias and model\.multi_modal_projector\.linear_1\.bias are the same one\.$/,
    ],
    [
      'with two projectors',
      'llava-clip',
      {
        rename: (tensor) => tensor.replace(/^multi_modal_projector\./, 'teacher.multi_modal_projector.'),
        tensors: (tensors) => {
          for (const [name, tensor] of tensors) {
            if (name.startsWith('teacher.')) tensors.set(name.replace('teacher.', 'student.'), tensor);
          }
        },
      },
      /^The checkpoint has 2 projectors, whose tensors have the prefixes "?teacher\."?, "?student\."?; save one/,
    ],
    [
      'without the newline of its AnyRes',
      'llava-next',
      { rename: (tensor) => (tensor === 'image_newline' ? undefined : tensor) },
      /^The projector is incomplete: tensor image_newline is missing\.$/,
    ],
    [
      'with a projector of another width',
      'llava-clip',
      {
        tensors: (tensors) => {
          const weight = tensors.get('multi_modal_projector.linear_1.weight')!;
          weight.shape = [48, 24];
          weight.data = weight.data.subarray(0, 48 * 24 * 2);
        },
      },
      /linear_1\.weight takes rows of 24, but the vision tower's 32 channels give rows of 32\.$/,
    ],
    [
      'with a language model of another width',
      'llava-clip',
      { config: { text_config: { hidden_size: 64 } } },
      /^The projector gives rows of 48 values, and config\.json's language model takes 64\.$/,
    ],
    [
      'of a family that is not known',
      'llava-clip',
      { config: { model_type: 'flamingo' } },
      /^config\.json: the family "flamingo" is not known.*; known are llava, llava-next, .*--tower-only/,
    ],
    [
      'with features of several layers at once',
      'llava-clip',
      { config: { vision_feature_layer: [-2, -3] } },
      /^config\.json: vision_feature_layer must be a whole number from /,
    ],
    [
      'that keeps the class token',
      'llava-clip',
      { config: { vision_feature_select_strategy: 'full' } },
      /^config\.json: vision_feature_select_strategy "full" is not supported with a clip tower/,
    ],
    [
      'with AnyRes that no whole views fill',
      'llava-next',
      { config: { image_grid_pinpoints: [[56, 100]] } },
      /^config\.json: image_grid_pinpoints has sizes that no squares of 56 px fill\.$/,
    ],
    [
      'with AnyRes of more squares than a model folder can hold',
      'llava-next',
      { config: { image_grid_pinpoints: [[56, 56 * 17]] } },
      /^config\.json: image_grid_pinpoints has sizes of more than 16 squares of 56 px along a side\.$/,
    ],
  ];
  for (const [what, name, change, message] of refusals) {
    it(`is refused ${what}`, async (t) => {
      const source = await changed(t, name, change);
      const out = join(await temporaryFolder(t), 'out');
      await assert.rejects(importTo(out, source), { code: 'invalid_argument', message });
    });
  }

  it('is refused with the repository of its tower where it has none', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    await assert.rejects(importTo(out, checkpoint('llava-original-no-tower')), {
      code: 'invalid_argument',
      message:
        /has no vision tower of its own; .*: siglip-hd import openai\/clip-vit-large-patch14-336 --projector \S+ --out FOLDER$/,
    });
  });

  it('is refused in one line without control characters, whatever its configuration calls its tower', async (t) => {
    const config = { mm_vision_tower: 'a\n\u001b[2Jb' };
    const source = await changed(t, 'llava-original-no-tower', { config });
    const out = join(await temporaryFolder(t), 'out');
    await assert.rejects(importTo(out, source), { code: 'invalid_argument', message: /^\P{Cc}+$/u });
  });

  it('is refused with features that its projector does not take', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    const asked = { features: ['last_hidden_state'] } as const;
    await assert.rejects(importTo(out, checkpoint('llava-clip'), asked), {
      code: 'invalid_argument',
      message: /^--features last_hidden_state does not fit the projector, which takes penultimate: name/,
    });
  });
});
