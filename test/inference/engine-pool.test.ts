// A batcher over several engines: who gets which batch, and what an engine that fails costs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultTerms } from '../../src/admission/priority.ts';
import { ViewBudget, type ViewsPermit } from '../../src/admission/view-budget.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { EngineState } from '../../src/inference/engine.ts';
import type { PoolEngine } from '../../src/inference/pool-engine.ts';
import { splitTokens } from '../../src/tokens/token-tasks.ts';
import { GatedEngine } from '../support/gated-engine.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;
const failed = new ServiceError('internal', 'The model failed on this image.');
const stuck = new ServiceError('unavailable', 'The engine is down.');

/** Engines that wait at gates. `batchMs` are their times for a full batch; unmeasured if absent. */
function setUp(
  largest: number,
  batchMs: readonly (number | undefined)[],
  shared: Partial<Pick<PoolEngine, 'parallel'>> = {},
  split = splitTokens,
) {
  let timeMs = 0;
  const engines = batchMs.map((ms, index) => {
    const times = new BatchTimes();
    if (ms !== undefined) times.calibrate(largest, ms);
    const state: { now: EngineState } = { now: 'up' };
    return { name: `e${index}`, engine: new GatedEngine(), times, state };
  });
  const batcher = new Batcher({
    engines: engines.map(({ state, ...each }) => ({
      ...each,
      ...shared,
      largest,
      fixed: true,
      state: () => state.now,
    })),
    split: async (tokens, views) => split(tokens, views),
    now: () => timeMs,
  });
  const viewBudget = new ViewBudget({ maxViews: 1000, workMs: () => 0 });
  const encode = async (ids: readonly number[], signal = never) => {
    const [permit] = viewBudget.admit([ids.length], 'model', defaultTerms) as [ViewsPermit];
    const views = ids.map((id) => Uint8Array.of(id));
    const tokens = await batcher
      .encode(permit, views, { outputs: ['float16'] }, signal)
      .finally(() => permit.release());
    return tokens.map((view) => view.tokens[0]![0]);
  };
  /** The ids of each batch that each engine was given. */
  const given = () =>
    engines.map(({ engine }) => engine.batches.map(({ views }) => views.map((view) => view[0])));
  const change = (index: number, state: EngineState) => {
    engines[index]!.state.now = state;
    batcher.engineChanged();
  };
  const batchOf = (engine: number, batch: number) => engines[engine]!.engine.batches[batch]!;
  const passMs = (ms: number) => {
    timeMs += ms;
  };
  return { engines, batcher, encode, given, change, batchOf, passMs };
}

test('idle engines share the views that wait', async () => {
  const { encode, given, engines } = setUp(8, [undefined, undefined]);
  const answer = encode([1, 2, 3]);
  await turn();
  assert.deepEqual(given(), [[[1, 2]], [[3]]]);
  for (const { engine } of engines) engine.openGate();
  assert.deepEqual(await answer, [1, 2, 3]);
});

test('one batch is prepared for each engine, and the engine that frees first is fed next', async () => {
  const { encode, given, batchOf, engines } = setUp(1, [undefined, undefined]);
  const answer = encode([1, 2, 3, 4, 5, 6]);
  await turn();
  assert.deepEqual(given(), [
    [[1], [3]],
    [[2], [4]],
  ]);
  batchOf(1, 0).finish();
  await turn();
  assert.deepEqual(given(), [
    [[1], [3]],
    [[2], [4], [5]],
  ]);
  for (const { engine } of engines) engine.openGate();
  assert.deepEqual(await answer, [1, 2, 3, 4, 5, 6]);
});

test('a batch is prepared for the engine that is expected to be free first', async () => {
  const { encode, given, engines } = setUp(1, [100, 20]);
  const answer = encode([1, 2, 3]);
  await turn();
  assert.deepEqual(given(), [[[2]], [[1], [3]]], 'the faster one takes the first view');
  for (const { engine } of engines) engine.openGate();
  await answer;
});

test('an engine that runs several batches at one time is given as many, and one that is prepared', async () => {
  const { encode, given, engines } = setUp(1, [undefined], { parallel: 3 });
  const answer = encode([1, 2, 3, 4, 5]);
  await turn();
  assert.deepEqual(given(), [[[1], [2], [3], [4]]]);
  engines[0]!.engine.openGate();
  assert.deepEqual(await answer, [1, 2, 3, 4, 5]);
});

test('each engine keeps its own batch times', async () => {
  const { encode, batchOf, engines } = setUp(1, [undefined, undefined]);
  const answer = encode([1, 2]);
  await turn();
  batchOf(0, 0).finish({ engineMs: 10 });
  batchOf(1, 0).finish({ engineMs: 40 });
  await answer;
  assert.deepEqual(
    engines.map(({ times }) => times.entries()),
    [[[1, 10]], [[1, 40]]],
  );
});

test('the expected time of views counts all engines that work', async () => {
  const { encode, batcher, change, passMs, engines } = setUp(2, [100, 100]);
  assert.equal(batcher.workMs(8), 200);
  const answer = encode([1, 2, 3, 4, 5, 6, 7, 8]);
  await turn();
  passMs(30);
  // Each has 70 ms of its batch left and one prepared; six more views make two batches on one and one on the other.
  assert.equal(batcher.expectedMs(5, 1), 70 + 100 + 200);
  change(1, 'down');
  assert.equal(batcher.workMs(8), 400);
  assert.equal(batcher.expectedMs(5, 1), 70 + 100 + 300);
  for (const { engine } of engines) engine.openGate();
  await answer;
});

test('a failed view is tried once more on another engine', async () => {
  const { encode, given, batchOf } = setUp(1, [undefined, undefined]);
  const answer = encode([1]);
  await turn();
  batchOf(0, 0).fail(failed);
  await turn();
  assert.deepEqual(given(), [[[1]], [[1]]]);
  batchOf(1, 0).finish();
  assert.deepEqual(await answer, [1]);
});

test('a view that two engines fail on is rejected, and is not tried a third time', async () => {
  const { encode, given, batchOf } = setUp(1, [undefined, undefined]);
  const answer = assert.rejects(encode([1]), failed);
  await turn();
  batchOf(0, 0).fail(failed);
  await turn();
  batchOf(1, 0).fail(failed);
  await answer;
  await turn();
  assert.deepEqual(given(), [[[1]], [[1]]]);
});

test('a view that waits to be tried again does not hold up the engine that failed on it', async () => {
  const { encode, given, batchOf, engines } = setUp(1, [undefined, undefined]);
  const answers = encode([1, 2, 3, 4, 5, 6]);
  await turn();
  batchOf(0, 0).fail(failed);
  batchOf(0, 1).finish();
  await turn();
  assert.deepEqual(
    given(),
    [
      [[1], [3], [5]],
      [[2], [4]],
    ],
    'the other one is busy, and gets nothing more before the retry',
  );
  batchOf(1, 0).finish();
  await turn();
  batchOf(1, 1).finish();
  await turn();
  assert.deepEqual(given()[1], [[2], [4], [1]]);
  for (const { engine } of engines) engine.openGate();
  assert.deepEqual(await answers, [1, 2, 3, 4, 5, 6]);
});

test('tokens that are not finite are asked of another engine, and its answer counts', async () => {
  const { encode, batchOf, given } = setUp(2, [undefined, undefined]);
  const answers = [encode([1]), encode([2])];
  await turn();
  batchOf(0, 0).finish({ finite: { float16: [false] } });
  batchOf(1, 0).finish();
  await turn();
  assert.deepEqual(given()[1], [[2], [1]]);
  batchOf(1, 1).finish();
  assert.deepEqual(await Promise.all(answers), [[1], [2]]);
});

test('tokens that are finite on no engine are the fault of the picture', async () => {
  const { encode, batchOf } = setUp(1, [undefined, undefined]);
  const answer = assert.rejects(encode([1]), { code: 'internal', message: /not finite/ });
  await turn();
  batchOf(0, 0).finish({ finite: { float16: [false] } });
  await turn();
  batchOf(1, 0).finish({ finite: { float16: [false] } });
  await answer;
});

test('an engine that is being replaced gets nothing, and is fed again when it is up', async () => {
  const { encode, given, change, engines } = setUp(1, [undefined, undefined]);
  change(0, 'down');
  const answers = [encode([1]), encode([2]), encode([3])];
  await turn();
  assert.deepEqual(given(), [[], [[1], [2]]]);
  change(0, 'up');
  assert.deepEqual(given(), [[[3]], [[1], [2]]]);
  for (const { engine } of engines) engine.openGate();
  await Promise.all(answers);
});

test('while all engines are being replaced, views wait for the first that is up', async () => {
  const { encode, given, change, engines } = setUp(1, [undefined, undefined]);
  change(0, 'down');
  change(1, 'down');
  const answer = encode([1]);
  await turn();
  assert.deepEqual(given(), [[], []]);
  engines[1]!.engine.openGate();
  change(1, 'up');
  assert.deepEqual(await answer, [1]);
});

test('what a late engine has is tried on another, and its own late answers change nothing', async () => {
  const { encode, given, change, batchOf, engines } = setUp(1, [undefined, undefined]);
  const answers = [encode([1]), encode([2]), encode([3])];
  await turn();
  assert.deepEqual(given(), [[[1], [3]], [[2]]]);
  change(0, 'late');
  engines[1]!.engine.openGate();
  assert.deepEqual(await Promise.all(answers), [[1], [2], [3]]);
  assert.deepEqual(given()[1], [[2], [1], [3]]);
  batchOf(0, 0).finish();
  batchOf(0, 1).fail(stuck);
  change(0, 'up');
  await turn();
  assert.deepEqual(
    given().map((batches) => batches.length),
    [2, 3],
    'nothing is run a third time',
  );
});

test('the batch of a late engine is tried on another as one, and view by view if that fails', async () => {
  const { encode, given, change, batchOf, engines } = setUp(3, [undefined, undefined]);
  const busy = encode([9]);
  await turn();
  const answers = [encode([1]), encode([2]), encode([3])];
  await turn();
  assert.deepEqual(given(), [[[9]], [[1, 2, 3]]]);
  change(1, 'late');
  batchOf(0, 0).finish();
  await turn();
  assert.deepEqual(given()[0], [[9], [1, 2, 3]]);
  batchOf(0, 1).fail(failed);
  await turn();
  batchOf(0, 2).fail(failed);
  engines[0]!.engine.openGate();
  const outcomes = await Promise.allSettled(answers);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason)),
    [failed, [2], [3]],
  );
  assert.deepEqual(given()[0], [[9], [1, 2, 3], [1], [2], [3]]);
  batchOf(1, 0).fail(stuck);
  await busy;
});

test('the views of a late batch whose callers have left are not tried again', async () => {
  const { encode, given, change, batchOf } = setUp(2, [undefined, undefined]);
  const busy = encode([9]);
  await turn();
  const leaving = new AbortController();
  const left = assert.rejects(encode([1], leaving.signal), { code: 'cancelled' });
  const answer = encode([2]);
  await turn();
  change(1, 'late');
  leaving.abort();
  await left;
  batchOf(0, 0).finish();
  await turn();
  assert.deepEqual(given(), [[[9], [2]], [[1, 2]]]);
  batchOf(0, 1).finish();
  assert.deepEqual(await answer, [2]);
  await busy;
});

test('when the caller of a view that waits to be tried again leaves, the next batch is prepared at once', async () => {
  const { encode, given, batchOf, engines } = setUp(1, [undefined, undefined]);
  const leaving = new AbortController();
  const left = assert.rejects(encode([1], leaving.signal), { code: 'cancelled' });
  const answer = encode([2, 3, 4]);
  await turn();
  assert.deepEqual(given(), [
    [[1], [3]],
    [[2], [4]],
  ]);
  const next = encode([5]);
  batchOf(0, 0).fail(failed);
  await turn();
  assert.deepEqual(
    given(),
    [
      [[1], [3]],
      [[2], [4]],
    ],
    'the retry comes before any preparing',
  );
  leaving.abort();
  await left;
  assert.deepEqual(given(), [
    [[1], [3], [5]],
    [[2], [4]],
  ]);
  for (const { engine } of engines) engine.openGate();
  assert.deepEqual(await answer, [2, 3, 4]);
  assert.deepEqual(await next, [5]);
});

test('views of a late batch are settled when cutting its tokens fails, while the other engine is busy', async () => {
  const { encode, change, batchOf, engines } = setUp(2, [undefined, undefined], {}, () => {
    throw failed;
  });
  const busy = encode([9]);
  await turn();
  const consumed = assert.rejects(encode([1]), failed);
  const kept = encode([2]);
  await turn();
  change(1, 'late');
  const { buffer } = batchOf(1, 0).views[0]!;
  structuredClone(buffer, { transfer: [buffer] });
  batchOf(1, 0).finish({ finite: { float16: [true, false] } });
  await consumed;
  engines[0]!.engine.openGate();
  assert.deepEqual(await kept, [2]);
  await busy;
});

test('a late engine that answers first has answered', async () => {
  const { encode, change, batchOf, engines } = setUp(1, [undefined, undefined]);
  const answers = [encode([1]), encode([2])];
  await turn();
  change(0, 'late');
  batchOf(0, 0).finish();
  assert.deepEqual(await answers[0], [1]);
  change(0, 'up');
  batchOf(1, 0).finish();
  await turn();
  assert.equal(engines[1]!.engine.batches.length, 1, 'the answered view is not run again');
  await answers[1];
});

test('the batches of an engine that ends while it is late are not lost', async () => {
  const { encode, change, batchOf } = setUp(1, [undefined, undefined]);
  const answers = [encode([1]), encode([2])];
  await turn();
  change(0, 'late');
  change(0, 'ended');
  batchOf(0, 0).fail(stuck);
  await turn();
  batchOf(1, 0).finish();
  await turn();
  batchOf(1, 1).finish();
  assert.deepEqual(await Promise.all(answers), [[1], [2]]);
});

test('a lone late engine keeps its batch, and what waits runs when it is back', async () => {
  const { encode, change, batchOf, given } = setUp(8, [undefined]);
  const answers = [encode([1]), encode([2])];
  await turn();
  change(0, 'late');
  batchOf(0, 0).finish();
  change(0, 'up');
  await turn();
  assert.deepEqual(given()[0], [[1, 2]]);
  await Promise.all(answers);
});

test('when every engine has ended, everything that waits is rejected with their reason', async () => {
  const { encode, change, engines } = setUp(1, [undefined, undefined]);
  const answers = Array.from({ length: 9 }, (_, id) => assert.rejects(encode([id]), stuck));
  await turn();
  for (const [index, { engine }] of engines.entries()) {
    engine.encode = async () => {
      throw stuck;
    };
    engines[index]!.state.now = 'ended';
    for (const batch of engine.batches) batch.fail(stuck);
  }
  change(0, 'ended');
  await Promise.all(answers);
  await assert.rejects(encode([1]), stuck);
});

test('every view is answered once with its own tokens or rejected, whatever three engines do', async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('arrive' as const), views: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const), engine: fc.nat(2) }) },
    fc.record({ kind: fc.constant('not finite' as const), engine: fc.nat(2) }),
    fc.record({ kind: fc.constant('fail' as const), engine: fc.nat(2) }),
    fc.record({ kind: fc.constant('late' as const), engine: fc.nat(2) }),
    fc.record({ kind: fc.constant('down' as const), engine: fc.nat(2) }),
    fc.record({ kind: fc.constant('up' as const), engine: fc.nat(2) }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, largest) => {
        const { encode, engines, change } = setUp(largest, [undefined, 10, 20]);
        const ended = engines.map(() => 0);
        const end = (index: number, how: 'finish' | 'fail' | 'not finite') => {
          const batch = engines[index]!.engine.batches[ended[index]!];
          if (batch === undefined) return false;
          ended[index]!++;
          if (how === 'fail') batch.fail(failed);
          else batch.finish(how === 'finish' ? {} : { finite: { float16: batch.views.map(() => false) } });
          return true;
        };
        const callers: AbortController[] = [];
        const settled: Promise<void>[] = [];
        let id = 0;
        for (const each of steps) {
          if (each.kind === 'arrive') {
            const ids = Array.from({ length: each.views }, () => ++id % 256);
            const caller = new AbortController();
            callers.push(caller);
            settled.push(
              encode(ids, caller.signal).then(
                (tokens) => assert.deepEqual(tokens, ids),
                (error: unknown) => assert.ok(error instanceof ServiceError, String(error)),
              ),
            );
          } else if (each.kind === 'leave') callers[each.which]?.abort();
          else if (each.kind === 'finish' || each.kind === 'fail' || each.kind === 'not finite') {
            end(each.engine, each.kind);
          } else change(each.engine, each.kind);
          await turn();
          for (const [index, { engine }] of engines.entries()) {
            assert.ok(engine.batches.length - ended[index]! <= 2, 'one batch runs, one is prepared');
          }
        }
        for (const index of engines.keys()) change(index, 'up');
        for (let left = 500, busy = true; busy && left > 0; left--) {
          await turn();
          busy = engines.map((_, index) => end(index, 'finish')).includes(true);
        }
        await Promise.all(settled);
        const last = encode([7]);
        await turn();
        assert.ok(engines.map((_, index) => end(index, 'finish')).includes(true), 'the next one is encoded');
        assert.deepEqual(await last, [7]);
      },
    ),
    { numRuns: 200 },
  );
});
