import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from '../../bench/batching/clock.ts';

test('acts in the order of time, and in the order of asking at one time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 20 }), { maxLength: 60 }), async (times) => {
      const clock = new SimulatedClock();
      const acted: { atMs: number; index: number }[] = [];
      for (const [index, atMs] of times.entries()) {
        clock.at(atMs, () => {
          assert.equal(clock.now(), atMs);
          acted.push({ atMs, index });
        });
      }
      await clock.run();
      const expected = times
        .map((atMs, index) => ({ atMs, index }))
        .toSorted((a, b) => a.atMs - b.atMs || a.index - b.index);
      assert.deepEqual(acted, expected);
    }),
    { numRuns: 50 },
  );
});

test('follows the promises that an event settles before time moves on', async () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  clock.at(1, () => {
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => seen.push(clock.now()));
  });
  clock.at(2, () => seen.push(clock.now()));
  await clock.run();
  assert.deepEqual(seen, [1, 2]);
});
