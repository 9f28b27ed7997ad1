import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import type { Engine } from '../../src/inference/engine.ts';
import { warmUp, widestThatRuns } from '../../src/inference/warm-up.ts';

const work = { probe: () => new Uint8Array(48), output: 'float16' } as const;

/** An engine of known batch times on a simulated clock. */
function timedEngine(batchMs: (views: number) => number) {
  let timeMs = 0;
  const sizes: number[] = [];
  const engine: Engine = {
    async encode(views) {
      sizes.push(views.length);
      const engineMs = batchMs(views.length);
      timeMs += engineMs;
      return { tokens: {}, finite: {}, engineMs };
    },
    async close() {},
  };
  return { engine, sizes, now: () => timeMs };
}

test('stops at the first larger batch that does not pay', async () => {
  const { engine, now } = timedEngine((views) => 100 * views);
  const times = new BatchTimes();
  await warmUp(engine, times, { ...work, largest: 32, budgetMs: 10_000, now });
  assert.deepEqual(times.entries(), [
    [1, 100],
    [2, 200],
  ]);
});

test('starts no other batch once the service is stopping', async () => {
  const stopping = new AbortController();
  const { engine, sizes, now } = timedEngine((views) => {
    if (views === 2) stopping.abort(new Error('stopping'));
    return 20 + views;
  });
  const options = { ...work, largest: 24, budgetMs: 10_000, now, stopping: stopping.signal };
  await assert.rejects(warmUp(engine, new BatchTimes(), options), /^Error: stopping$/);
  assert.deepEqual(sizes, [1, 1, 2]);
});

test('continues to the largest batch while larger ones pay', async () => {
  const { engine, now } = timedEngine((views) => 20 + views);
  const times = new BatchTimes();
  await warmUp(engine, times, { ...work, largest: 24, budgetMs: 10_000, now });
  assert.deepEqual(
    times.entries().map(([views]) => views),
    [1, 2, 4, 8, 16, 24],
  );
});

test('a slow model runs once and is measured by that run', async () => {
  const { engine, sizes, now } = timedEngine((views) => 14_000 * views);
  const times = new BatchTimes();
  await warmUp(engine, times, { ...work, largest: 32, budgetMs: 10_000, now });
  assert.deepEqual(sizes, [1]);
  assert.equal(times.estimateMs(1), 14_000);
});

test('measures a size again only while its times differ, and takes the median of three then, or the longer of two', async () => {
  const measured = async (timesMs: readonly number[], budgetMs = 10_000) => {
    const left = [...timesMs];
    const { engine, sizes, now } = timedEngine(() => left.shift()!);
    const times = new BatchTimes();
    await warmUp(engine, times, { ...work, largest: 1, budgetMs, now });
    return { runs: sizes.length, batchMs: times.estimateMs(1) };
  };
  assert.deepEqual(await measured([100, 101]), { runs: 2, batchMs: 101 });
  assert.deepEqual(await measured([150, 101, 100]), { runs: 3, batchMs: 101 });
  assert.deepEqual(await measured([150, 100, 130, 110]), { runs: 4, batchMs: 110 });
  assert.deepEqual(await measured([100, 150, 110, 112]), { runs: 4, batchMs: 112 });
  assert.deepEqual(await measured([100, 110, 150], 300), { runs: 3, batchMs: 150 });
  assert.deepEqual(await measured([100, 150, 110], 300), { runs: 3, batchMs: 150 });
});

test('stays within its budget if the first run does', async () => {
  for (const viewMs of [1, 10, 100, 1000, 2400]) {
    const { engine, now } = timedEngine((views) => viewMs * (0.5 + 0.5 * views));
    await warmUp(engine, new BatchTimes(), { ...work, largest: 64, budgetMs: 10_000, now });
    assert.ok(now() <= 10_000, `${viewMs} ms a view took ${now()} ms`);
  }
});

/** ONNX Runtime's failure when the device has too little memory. */
const outOfMemory = new ServiceError('internal', 'The model failed on this image.', {
  cause: new Error('Failed to allocate memory for requested buffer of size 4294967296'),
});

test('finds the largest batch that runs, by halving', async () => {
  const { engine, sizes } = timedEngine((views) => {
    if (views > 7) throw outOfMemory;
    return views;
  });
  assert.equal(await widestThatRuns(engine, { ...work, largest: 24 }), 6);
  assert.deepEqual(sizes, [24, 12, 6]);
  assert.equal(await widestThatRuns(engine, { ...work, largest: 7 }), 7);
});

test('rejects when the engine cannot run a single view or is down', async () => {
  const failing = timedEngine(() => {
    throw outOfMemory;
  });
  await assert.rejects(widestThatRuns(failing.engine, { ...work, largest: 4 }), outOfMemory);
  assert.deepEqual(failing.sizes, [4, 2, 1]);
  const down = new ServiceError('unavailable', 'The engine is down.');
  const ended = timedEngine(() => {
    throw down;
  });
  await assert.rejects(widestThatRuns(ended.engine, { ...work, largest: 4 }), down);
  assert.deepEqual(ended.sizes, [4]);
});
