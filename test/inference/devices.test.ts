import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enginePlaces } from '../../src/inference/devices.ts';

const namesOf = (...args: Parameters<typeof enginePlaces>) => enginePlaces(...args).map(({ name }) => name);

test('each device has so many engines, and each engine a name of its own', () => {
  assert.deepEqual(namesOf({ kind: 'cpu' }, 1), ['cpu']);
  assert.deepEqual(namesOf({ kind: 'cpu' }, 2), ['cpu#0', 'cpu#1']);
  assert.deepEqual(namesOf({ kind: 'cuda', deviceIds: [0, 2] }, 1), ['cuda:0', 'cuda:2']);
  assert.deepEqual(enginePlaces({ kind: 'cuda', deviceIds: [1] }, 2), [
    { name: 'cuda:1#0', device: { kind: 'cuda', deviceId: 1 } },
    { name: 'cuda:1#1', device: { kind: 'cuda', deviceId: 1 } },
  ]);
});
