import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import type { Engine } from '../../src/inference/engine.ts';
import { warmUp } from '../../src/inference/warm-up.ts';

/** An engine of known t(b) on a clock of its own. */
function timedEngine(batchMs: (views: number) => number) {
  let timeMs = 0;
  const sizes: number[] = [];
  const engine: Engine = {
    async encode(views) {
      sizes.push(views.length);
      timeMs += batchMs(views.length);
      return { tokens: {}, finite: {}, engineMs: batchMs(views.length) };
    },
    async close() {},
  };
  return { engine, sizes, now: () => timeMs };
}

test('stops at the batch that no longer pays', async () => {
  const { engine, now } = timedEngine((views) => 100 * views);
  const times = new BatchTimes();
  await warmUp(engine, times, { imageSize: 4, largest: 32, budgetMs: 10_000, now });
  assert.deepEqual(times.entries(), [
    [1, 100],
    [2, 200],
  ]);
});

test('goes on to the largest batch while larger ones pay', async () => {
  const { engine, now } = timedEngine((views) => 20 + views);
  const times = new BatchTimes();
  await warmUp(engine, times, { imageSize: 4, largest: 24, budgetMs: 10_000, now });
  assert.deepEqual(
    times.entries().map(([views]) => views),
    [1, 2, 4, 8, 16, 24],
  );
});

test('a slow model is run once and measured by that run', async () => {
  const { engine, sizes, now } = timedEngine((views) => 14_000 * views);
  const times = new BatchTimes();
  await warmUp(engine, times, { imageSize: 4, largest: 32, budgetMs: 10_000, now });
  assert.deepEqual(sizes, [1]);
  assert.equal(times.estimateMs(1), 14_000);
});

test('the whole of it stays within the budget when one run does', async () => {
  for (const viewMs of [1, 10, 100, 1000, 2400]) {
    const { engine, now } = timedEngine((views) => viewMs * (0.5 + 0.5 * views));
    await warmUp(engine, new BatchTimes(), { imageSize: 4, largest: 64, budgetMs: 10_000, now });
    assert.ok(now() <= 10_000, `${viewMs} ms a view took ${now()} ms`);
  }
});

test('runs the largest batch first where it is told to, and does not count it', async () => {
  const { engine, sizes, now } = timedEngine((views) => 100 * views);
  const times = new BatchTimes();
  await warmUp(engine, times, { imageSize: 4, largest: 8, largestFirst: true, budgetMs: 10_000, now });
  assert.deepEqual(sizes.slice(0, 2), [8, 1]);
  assert.deepEqual(
    times.entries().map(([views]) => views),
    [1, 2],
  );
});
