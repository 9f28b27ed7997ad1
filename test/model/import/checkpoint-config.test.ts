import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readConfig, readGeometry, withImageSize } from '../../../src/model/import/checkpoint-config.ts';
import type { TowerGeometry } from '../../../src/model/tower-geometry.ts';
import { temporaryFolder } from './fixtures.ts';

async function read(t: TestContext, config: unknown): Promise<TowerGeometry> {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  return readGeometry(await readConfig(folder));
}

const vision = { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 5, image_size: 96 };
const siglip = { ...vision, model_type: 'siglip_vision_model' };

describe("config.json's vision tower", () => {
  const places: readonly [string, object, 'siglip' | 'clip'][] = [
    ['alone', siglip, 'siglip'],
    ['under vision_config', { model_type: 'siglip', vision_config: vision }, 'siglip'],
    [
      'under the vision_config of a vision_config',
      { model_type: 'x', vision_config: { model_type: 'clip', vision_config: vision } },
      'clip',
    ],
    ['of a class without a model_type', { architectures: ['CLIPVisionModel'], ...vision }, 'clip'],
    ['of a LLaVA that leaves its type out', { model_type: 'llava', vision_config: vision }, 'clip'],
    ['of a LLaVA on SigLIP', { model_type: 'llava', hidden_size: 4096, vision_config: siglip }, 'siglip'],
    ['of a PaliGemma that leaves its type out', { model_type: 'paligemma', vision_config: vision }, 'siglip'],
    ['of a model that is not known', { model_type: 'my_vlm', vision_config: siglip }, 'siglip'],
    [
      'under vision_tower',
      { model_type: 'my_vlm', text_config: { hidden_size: 4 }, vision_tower: siglip },
      'siglip',
    ],
    [
      'of a SmolVLM',
      { model_type: 'smolvlm', vision_config: { ...vision, model_type: 'smolvlm_vision' } },
      'siglip',
    ],
    ['under another name, two levels down', { thinker_config: { vision: siglip } }, 'siglip'],
  ];
  for (const [where, config, architecture] of places) {
    it(`is found ${where}`, async (t) => {
      const { channels, layers, imageSize, ...rest } = await read(t, config);
      assert.deepEqual([rest.architecture, channels, layers, imageSize], [architecture, 24, 5, 96]);
    });
  }

  const refusals: readonly [string, object, RegExp][] = [
    [
      'is described twice',
      { model_type: 'x', a: siglip, b: { c: siglip } },
      /^config\.json describes several vision towers: config\.json: a and config\.json: b: c\./,
    ],
    [
      'is only named',
      { model_type: 'llava', hidden_size: 4096, mm_vision_tower: 'openai/clip' },
      /model_type "llava" does not describe the vision tower, which mm_vision_tower names: "openai\/clip"\. Import that one/,
    ],
    [
      'has no type, in a model that is not known',
      { model_type: 'x', vision_config: vision },
      /vision_config: model_type "x" is not supported/,
    ],
  ];
  for (const [what, config, message] of refusals) {
    it(`is refused when it ${what}`, async (t) => {
      await assert.rejects(read(t, config), { code: 'invalid_argument', message });
    });
  }

  it('has views of any size from one patch on', async (t) => {
    const geometry = await read(t, siglip);
    assert.deepEqual(withImageSize(geometry, 128), { ...geometry, imageSize: 128 });
    assert.throws(() => withImageSize(geometry, 15), {
      message: 'The image size 15 is smaller than one patch of this model, 16 x 16 pixels.',
    });
  });
});

describe('a config.json that is not a file', () => {
  const refusal = { code: 'invalid_argument', message: 'config.json is not a file.' };

  it('is refused when it leads to a device, which may never end', async (t) => {
    const folder = await temporaryFolder(t);
    await symlink('/dev/zero', join(folder, 'config.json'));
    await assert.rejects(readConfig(folder), refusal);
  });

  it('is refused when it is a folder', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'config.json'));
    await assert.rejects(readConfig(folder), refusal);
  });
});
