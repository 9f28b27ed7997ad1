import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { llavaOriginal } from '../../../../src/model/import/families/llava-original.ts';
import { JsonObject } from '../../../../src/model/json-object.ts';
import type { TowerGeometry } from '../../../../src/model/tower-geometry.ts';

const so400m: TowerGeometry = {
  architecture: 'siglip',
  imageSize: 384,
  patchSize: 14,
  channels: 1152,
  layers: 27,
  heads: 16,
  mlpChannels: 4304,
  epsilon: 1e-6,
  activation: 'gelu_tanh',
};

/** What the projector of a checkpoint in LLaVA's own layout takes of the SigLIP tower that is saved with it. */
function featuresOf(tower: Partial<TowerGeometry>, mm_vision_select_layer?: number) {
  const config = JsonObject.from({ mm_projector_type: 'mlp2x_gelu', mm_vision_select_layer }, 'config.json');
  return llavaOriginal.read(config, { ...so400m, ...tower }, { isOwnTower: true }).features;
}

describe("a SigLIP tower in a checkpoint of LLaVA's own layout", () => {
  it('gives the output of its last layer where LLaVA-NeXT saved it without the last of the whole tower', () => {
    for (const layer of [undefined, -1, -2]) assert.equal(featuresOf({ layers: 26 }, layer), 'pre_norm');
    assert.equal(featuresOf({ layers: 11, channels: 768 }), 'pre_norm');
  });

  it('gives the output of its last layer but one where the whole tower was saved', () => {
    for (const layer of [undefined, -2]) assert.equal(featuresOf({}, layer), 'penultimate');
    assert.equal(featuresOf({ layers: 24, channels: 1024 }), 'penultimate');
  });

  it('gives the output of its last layer where the configuration says so of a tower cut short', () => {
    assert.equal(featuresOf({ layers: 20 }, -1), 'pre_norm');
  });

  it('is refused where nothing tells which layer the projector takes', () => {
    for (const [tower, layer] of [
      [{}, -1],
      [{ layers: 25 }, -2],
      [{ channels: 64, layers: 3 }, undefined],
    ] as const) {
      assert.throws(() => featuresOf(tower, layer), {
        code: 'invalid_argument',
        message: /^config\.json: mm_vision_select_layer -[12] with the \d+ layers .* --tower-only /,
      });
    }
    assert.throws(() => featuresOf({}, -3), { message: /mm_vision_select_layer must be .*, not -3/ });
  });
});
