import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineThreads } from '../../src/encoding/open-parts.ts';
import { stubModel } from '../support/stub-model.ts';

const projector = {
  family: 'llava',
  digest: 'a',
  hiddenSize: 8,
  grid: { width: 2, height: 2 },
  anyGrid: false,
  newline: false,
} as const;
const plain = { ...stubModel, name: 'plain', projector: undefined };
const projected = { ...stubModel, name: 'projected', projector };
const here = { device: { kind: 'cpu' }, engines: 3 } as const;
const endpoint = { host: 'a', port: 8001, secure: false };
const served = (model: string, count: number) => Array.from({ length: count }, () => ({ model, endpoint }));

test('the address space has room for each engine here, and as many for a projector', () => {
  assert.equal(engineThreads([plain], here), 3);
  assert.equal(engineThreads([plain, projected], here), 9);
});

test('the address space has room for a thread for each server, and as many for a projector, in place of engines here', () => {
  const remote = { engines: [...served('plain', 2), ...served('projected', 2)], access: {}, parallel: 1 };
  assert.equal(engineThreads([plain, projected], { ...here, remote }), 2 + 4);
  const ofOne = { ...remote, engines: served('projected', 1) };
  assert.equal(engineThreads([plain, projected], { ...here, remote: ofOne }), 3 + 2);
});
