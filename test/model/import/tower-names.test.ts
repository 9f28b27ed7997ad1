import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { importModel, type ImportOptions } from '../../../src/model/import/import-model.ts';
import { findTower, towerTensorNames } from '../../../src/model/import/tower-names.ts';
import type { Model } from '../../../src/model/model.ts';
import { changedCheckpoint, type TestTensor } from './checkpoints.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

type Tensors = Map<string, TestTensor>;

function imported(folder: string, source: string, options: Partial<ImportOptions> = {}): Promise<Model> {
  const out = join(folder, `model-${Math.random()}`);
  return importModel({ source, out, features: ['last_hidden_state'], precision: 'fp32', ...options });
}

/** Gives every tensor another name. */
const renamed = (change: (name: string) => string) => (tensors: Tensors) => {
  const before = new Map(tensors);
  tensors.clear();
  for (const [name, tensor] of before) tensors.set(change(name), tensor);
};

const added =
  (...names: readonly string[]) =>
  (tensors: Tensors) => {
    for (const name of names) tensors.set(name, { dtype: 'F32', shape: [1], data: Buffer.alloc(4) });
  };

describe('the vision tower of a checkpoint is found', () => {
  const prefixes = [
    'vision_model.',
    'vision_tower.',
    'vision_tower.vision_model.',
    'model.vision_tower.',
    'model.vision_tower.vision_model.',
    'model.vision_tower.vision_tower.vision_model.',
    'model.vision_model.',
    'base_model.model.vision_model.',
    '_orig_mod.',
    '_orig_mod.vision_model.',
    'module.',
    'module._orig_mod.vision_model.',
    'model.module.vision_tower._orig_mod.',
    '_fsdp_wrapped_module.student.',
    'towers.0.',
    'vpm.',
  ];
  it('under any one prefix', async (t) => {
    const folder = await temporaryFolder(t);
    const { digest } = await imported(folder, fixture('siglip-tiny'));
    for (const prefix of prefixes) {
      const change = (tensors: Tensors) => {
        renamed((name) => `${prefix}${name}`)(tensors);
        added(
          'lm_head.weight',
          'model.mm_projector.0.weight',
          'text_model.encoder.layers.40.mlp.fc1.weight',
        )(tensors);
      };
      const source = await changedCheckpoint(join(folder, prefix), change);
      assert.equal((await imported(folder, source)).digest, digest, prefix);
    }
  });

  it('with wrappers of torch inside its names', async (t) => {
    const folder = await temporaryFolder(t);
    const { digest } = await imported(folder, fixture('siglip-tiny'));
    const change = renamed((name) =>
      `vision_model.${name}`
        .replace('encoder.', '_orig_mod.encoder._fsdp_wrapped_module.')
        .replace(/(layers\.\d+)/, '$1._fsdp_wrapped_module._checkpoint_wrapped_module'),
    );
    assert.equal((await imported(folder, await changedCheckpoint(folder, change))).digest, digest);
  });

  it('in those shards alone that its index names for it', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await changedCheckpoint(
      folder,
      renamed((name) => `model.vision_tower.${name}`),
    );
    const { digest } = await imported(folder, source);
    const file = 'model-00002-of-00002.safetensors';
    await cp(join(source, 'model.safetensors'), join(source, file));
    await rm(join(source, 'model.safetensors'));
    const header = (await readFile(join(source, file))).toString('latin1');
    const names = [...new Set(header.match(/model\.vision_tower\.[a-z_.0-9]+/g))];
    const weights = [
      ...names.map((name) => [name, file]),
      ['lm_head.weight', 'model-00001-of-00002.safetensors'],
    ];
    const index = JSON.stringify({ weight_map: Object.fromEntries(weights) as object });
    await writeFile(join(source, 'model.safetensors.index.json'), index);
    assert.equal((await imported(folder, source)).digest, digest);
  });

  it('with the tensors that pool its tokens, and without those around it, of which a download needs no file', () => {
    const tower = findTower([
      'model.layers.0.mlp.weight',
      'vision_tower.embeddings.patch_embedding.weight',
      'vision_tower.encoder.layers.0.mlp.fc1.weight',
      'vision_tower.head.probe',
      'vision_tower.projector.weight',
    ]);
    assert.deepEqual(towerTensorNames(tower), [
      'vision_tower.embeddings.patch_embedding.weight',
      'vision_tower.encoder.layers.0.mlp.fc1.weight',
      'vision_tower.head.probe',
    ]);
    const clip = [
      'visual_projection.weight',
      'text_projection.weight',
      'vision_model.embeddings.patch_embedding.weight',
    ];
    const wrapped = clip.map((name) => `module.${name}`);
    for (const names of [clip, wrapped]) {
      assert.deepEqual(towerTensorNames(findTower(names)).toSorted(), [names[2], names[0]]);
    }
  });
});

describe('a vision tower is refused', () => {
  const tower = 'embeddings.patch_embedding.weight';
  const cases: readonly [string, (tensors: Tensors) => void, RegExp][] = [
    [
      'when there are two, with their prefixes',
      added(`vision_tower.0.${tower}`),
      /^The checkpoint has 2 vision towers, whose tensors have the prefixes none, vision_tower\.0\.; save one/,
    ],
    [
      'when it is there with and without a wrapper',
      added(`_orig_mod.${tower}`),
      /^The checkpoint has 2 vision towers/,
    ],
    [
      'when a tensor is there with and without a wrapper',
      added('encoder._orig_mod.layers.0.mlp.fc1.weight'),
      /^Tensors encoder\.layers\.0\.mlp\.fc1\.weight and encoder\._orig_mod\.layers\.0\.mlp\.fc1\.weight are the same one\.$/,
    ],
    [
      'when the names are of another library',
      (tensors) => {
        tensors.clear();
        added('visual.trunk.patch_embed.proj.weight', 'text.transformer.weight', 'logit\n_scale')(tensors);
      },
      /^The checkpoint has no SigLIP or CLIP vision tower: .*; its tensors are visual\.\.\., text\.\.\., logit\\n_scale\.\.\.\.$/,
    ],
    [
      'with more layers than config.json says',
      renamed((name) => name.replace('layers.2.', 'layers.7.')),
      /^The checkpoint has no tensors of layers 2 to 6 of the vision tower, .*num_hidden_layers 3: get the whole/,
    ],
    [
      'with a norm that such towers do not have',
      added('encoder.layers.0.self_attn.q_norm.weight'),
      /^Tensor encoder\.layers\.0\.self_attn\.q_norm\.weight of the vision tower does not belong to a SigLIP tower/,
    ],
    [
      'with an adapter that was not merged',
      added('encoder.layers.0.self_attn.q_proj.lora_A.default.weight'),
      /q_proj\.lora_A\.default\.weight of the vision tower does not belong/,
    ],
    [
      'with registers',
      added('embeddings.register_tokens'),
      /^Tensor embeddings\.register_tokens of the vision tower/,
    ],
    ['with a norm of CLIP', added('pre_layrnorm.weight'), /^Tensor pre_layrnorm\.weight of the vision tower/],
  ];
  for (const [what, change, message] of cases) {
    it(what, async (t) => {
      const folder = await temporaryFolder(t);
      const source = await changedCheckpoint(folder, change);
      for (const features of ['last_hidden_state', 'penultimate'] as const) {
        await assert.rejects(imported(folder, source, { features: [features] }), {
          code: 'invalid_argument',
          message,
        });
      }
    });
  }

  it('with fewer layers than config.json says, even where the last is not needed', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await changedCheckpoint(folder, (tensors) => {
      for (const name of tensors.keys()) if (name.includes('layers.2.')) tensors.delete(name);
    });
    await assert.rejects(imported(folder, source, { features: ['penultimate'] }), {
      code: 'invalid_argument',
      message:
        /^The checkpoint has no tensors of layer 2 of the vision tower, .*num_hidden_layers 3: get the whole/,
    });
  });
});

describe('an import notes', () => {
  it('the tensors beside the tower that it leaves out, other than the pooling head', async (t) => {
    const folder = await temporaryFolder(t);
    const change = (tensors: Tensors) => {
      renamed((name) => `module.${name}`)(tensors);
      added('module.classifier.weight', 'module.a', 'module.b', 'module.c', 'lm_head.weight')(tensors);
    };
    const notes: string[] = [];
    const source = await changedCheckpoint(folder, change);
    await imported(folder, source, { onNote: (note) => notes.push(note) });
    assert.deepEqual(notes, [
      "Left out: 4 tensors beside the vision tower's own, such as module.classifier.weight.",
    ]);
  });

  it('an image size that is not a multiple of the patch size, and the nearest ones', async (t) => {
    const folder = await temporaryFolder(t);
    const notesOn = async (imageSize: number) => {
      const notes: string[] = [];
      const onNote = (note: string) => notes.push(note);
      await imported(join(folder, `${imageSize}`), fixture('siglip-tiny'), { imageSize, onNote });
      return notes;
    };
    assert.deepEqual(await notesOn(500), [
      '--image-size 500 is not a multiple of the patch size, 16: the tokens do not show the last 4 px on the right and at the ' +
        'bottom. The nearest multiples are 496 and 512.',
    ]);
    assert.deepEqual(await notesOn(496), []);
  });

  it('nothing of a checkpoint that is as transformers writes it', async (t) => {
    const folder = await temporaryFolder(t);
    for (const source of ['siglip-tiny', 'siglip-tiny-sharded', 'clip-tiny']) {
      await imported(folder, fixture(source), { onNote: assert.fail });
    }
  });
});
