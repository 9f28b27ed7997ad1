import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineTime } from '../../src/encoding/engine-time.ts';

/** Each view's [queueMs, engineMs]. */
const cases = [
  {
    of: 'two views in one batch',
    views: [
      [5, 10],
      [5, 10],
    ],
    engineMs: 10,
  },
  {
    of: 'two batches that overlap',
    views: [
      [5, 10],
      [0, 10],
    ],
    engineMs: 15,
  },
  {
    of: 'two batches with a gap between them',
    views: [
      [20, 10],
      [0, 10],
    ],
    engineMs: 20,
  },
  {
    of: 'a batch within another, and a third that overlaps',
    views: [
      [0, 20],
      [5, 5],
      [15, 10],
    ],
    engineMs: 25,
  },
] as const;

for (const { of, views, engineMs } of cases) {
  test(`the engine time of ${of} counts each moment once`, () => {
    assert.equal(engineTime(views.map(([queueMs, batchMs]) => ({ queueMs, engineMs: batchMs }))), engineMs);
  });
}
