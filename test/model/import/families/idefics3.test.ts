import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smolvlm } from '../../../../src/model/import/families/idefics3.ts';
import { JsonObject } from '../../../../src/model/json-object.ts';
import type { TowerGeometry } from '../../../../src/model/tower-geometry.ts';

const config = JsonObject.from({ scale_factor: 1, text_config: { hidden_size: 8 } }, 'config.json');

function readOfSide(patches: number): () => unknown {
  const tower: TowerGeometry = {
    architecture: 'siglip',
    imageSize: patches * 14,
    patchSize: 14,
    channels: 8,
    layers: 1,
    heads: 1,
    mlpChannels: 16,
    epsilon: 1e-6,
    activation: 'gelu_tanh',
  };
  return () => smolvlm.read(config, tower, { isOwnTower: true });
}

test('positions that transformers computes the same on every machine are taken', () => {
  for (const patches of [26, 27, 28, 32, 64]) assert.doesNotThrow(readOfSide(patches));
});

test('positions that transformers computes differently on other machines are refused', () => {
  for (const patches of [19, 25, 31, 65]) {
    assert.throws(readOfSide(patches), /has \d+ patches along a side.*Give another --image-size/);
  }
});
