import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../bench/batching/clock.ts';
import { policies } from '../../bench/batching/policies.ts';
import { TimedEngine } from '../../bench/batching/timed-engine.ts';

/** When each view that comes at one of the times has its tokens, with batches of 4 at most. */
async function answers(name: string, arrivals: readonly number[]): Promise<number[]> {
  const policy = policies.find((one) => one.name === name);
  assert.ok(policy);
  const clock = new SimulatedClock();
  const submit = policy.create(new TimedEngine(clock), clock, 4);
  const answered: number[] = [];
  for (const [index, atMs] of arrivals.entries()) {
    clock.at(atMs, () => {
      void submit().then(() => {
        answered[index] = clock.now();
      });
    });
  }
  await clock.run();
  return answered;
}

// A batch of one takes 25 ms, of two 30 ms, of three 35 ms, of four 40 ms.

test('the service runs the first view at once and the next ones together', async () => {
  assert.deepEqual(await answers('the service', [0, 1, 2]), [25, 55, 55]);
});

test('a window that waits for the engine gathers for 5 ms, and while the engine runs', async () => {
  assert.deepEqual(await answers('5 ms window, engine free', [0, 1, 6, 20]), [35, 35, 65, 65]);
});

test('a window that does not wait for the engine forms small batches behind it', async () => {
  assert.deepEqual(await answers('5 ms window', [0, 1, 6, 20]), [35, 35, 60, 85]);
});

test('a fixed size waits until the batch is full', async () => {
  assert.deepEqual(await answers('fixed size', [0, 10, 20, 30, 40]), [70, 70, 70, 70]);
});
