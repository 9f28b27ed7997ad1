import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layerAt, readFeatureLayers, stateIndex } from '../../src/model/feature-layer.ts';

test('hidden states are read with one name each', () => {
  assert.deepEqual(readFeatureLayers('penultimate,-3'), ['penultimate', '-3']);
  assert.deepEqual(readFeatureLayers('-1,-2,last_hidden_state'), [
    'pre_norm',
    'penultimate',
    'last_hidden_state',
  ]);
});

test('what is no list of hidden states is not read, nor one that names a state twice', () => {
  for (const text of [
    '',
    ',',
    '-3,',
    '-0',
    '3',
    '+3',
    '-03',
    '-1000',
    '-3 ,-4',
    'last',
    'penultimate,-2',
    '-3,-3',
  ]) {
    assert.equal(readFeatureLayers(text), undefined, text);
  }
});

test("hidden states are numbered as transformers' hidden_states are", () => {
  const indices = (['last_hidden_state', 'pre_norm', 'penultimate', '-3', '-6', '-7'] as const).map((layer) =>
    stateIndex(layer, 5),
  );
  assert.deepEqual(indices, [5, 5, 4, 3, 0, -1]);
  assert.deepEqual(
    [0, 3, 4, 5].map((index) => layerAt(index, 5)),
    ['-6', '-3', 'penultimate', 'pre_norm'],
  );
});
