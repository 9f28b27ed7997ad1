import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectedEndMs } from '../../src/inference/expected-time.ts';

const engine = (freeInMs: number, largest: number, viewMs: number) => ({
  freeInMs,
  largest,
  batchMs: (views: number) => viewMs * views,
});

test('one engine runs full batches and what is left', () => {
  assert.equal(expectedEndMs([engine(70, 2, 50)], 5), 70 + 100 + 100 + 50);
});

test('each batch goes to the engine that is free first', () => {
  assert.equal(expectedEndMs([engine(0, 1, 100), engine(0, 1, 100)], 4), 200);
  // The fast one runs three views of 30 ms while the slow one runs the view that it took at once.
  assert.equal(expectedEndMs([engine(0, 1, 100), engine(0, 1, 30)], 4), 100);
});

test('no views take no time, and neither do views without engines', () => {
  assert.equal(expectedEndMs([engine(70, 2, 50)], 0), 0);
  assert.equal(expectedEndMs([], 3), 0);
});
