import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { ViewBudget, type ViewsPermit } from '../../src/admission/view-budget.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import { type SchedulingClass, defaultTerms } from '../../src/admission/priority.ts';
import type { GraphOutput } from '../../src/model/graph-io.ts';
import { splitTokens } from '../../src/tokens/token-tasks.ts';
import { GatedEngine } from '../support/gated-engine.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

function setUp(largest: number) {
  const engine = new GatedEngine();
  const viewBudget = new ViewBudget({ maxViews: 1000, workMs: () => 0 });
  let timeMs = 0;
  const batcher = new Batcher({
    engines: [{ name: 'stub', engine, times: new BatchTimes(), largest, fixed: true }],
    split: async (tokens, views) => splitTokens(tokens, views),
    now: () => timeMs,
  });
  const encode = (
    ids: readonly number[],
    signal = never,
    output: GraphOutput = 'float16',
    schedulingClass: SchedulingClass = defaultTerms,
  ) => encodeAll(ids, [output], signal, schedulingClass);
  const encodeAll = (
    ids: readonly number[],
    outputs: readonly GraphOutput[],
    signal = never,
    schedulingClass: SchedulingClass = defaultTerms,
  ) => {
    const [permit] = viewBudget.admit([ids.length], 'model', schedulingClass) as [ViewsPermit];
    return batcher
      .encode(
        permit,
        ids.map((id) => Uint8Array.of(id)),
        { outputs },
        signal,
      )
      .finally(() => permit.release());
  };
  const idsOf = (batch: number) => engine.batches[batch]?.views.map((view) => view[0]);
  const passMs = (ms: number) => {
    timeMs += ms;
  };
  return { engine, batcher, encode, encodeAll, idsOf, viewBudget, passMs };
}

test('an idle engine takes a lone view at once', async () => {
  const { engine, encode, idsOf } = setUp(8);
  const answer = encode([7]);
  await turn();
  assert.deepEqual(idsOf(0), [7]);
  engine.batches[0]!.finish();
  assert.equal((await answer)[0]!.tokens[0]![0], 7);
});

test('views of several callers that arrive while the engine runs share the next batch', async () => {
  const { engine, encode, idsOf } = setUp(8);
  const answers = [encode([1])];
  await turn();
  answers.push(encode([2, 3]), encode([4]));
  await turn();
  assert.equal(engine.batches.length, 1, 'a batch that can still grow waits for the engine');
  engine.batches[0]!.finish();
  await turn();
  assert.deepEqual(idsOf(1), [2, 3, 4]);
  engine.batches[1]!.finish();
  const ids = (await Promise.all(answers)).map((views) => views.map(({ tokens }) => tokens[0]![0]));
  assert.deepEqual(ids, [[1], [2, 3], [4]]);
});

test('one full batch, and only one, is prepared while another runs', async () => {
  const { engine, encode } = setUp(2);
  const answers = [encode([1, 2, 3, 4, 5, 6, 7])];
  await turn();
  assert.deepEqual(
    engine.batches.map(({ views }) => views.length),
    [2, 2],
  );
  engine.batches[0]!.finish();
  await turn();
  assert.equal(engine.batches.length, 3);
  for (let i = 1; i < 4; i++) {
    engine.batches[i]!.finish();
    await turn();
  }
  await Promise.all(answers);
});

test('a cancelled view never reaches the engine', async () => {
  const { engine, encode, idsOf, batcher } = setUp(8);
  const first = encode([1]);
  await turn();
  const leaving = new AbortController();
  const left = assert.rejects(encode([2], leaving.signal), { code: 'cancelled' });
  const stays = encode([3]);
  leaving.abort();
  await left;
  assert.equal(batcher.queued, 1);
  engine.batches[0]!.finish();
  await turn();
  assert.deepEqual(idsOf(1), [3]);
  engine.batches[1]!.finish();
  await Promise.all([first, stays]);
});

test('a caller that leaves a running batch is rejected at once, and the others are answered', async () => {
  const { engine, encode } = setUp(8);
  const leaving = new AbortController();
  const left = assert.rejects(encode([1], leaving.signal), { code: 'cancelled' });
  const stays = encode([2]);
  await turn();
  leaving.abort();
  await left;
  engine.batches[0]!.finish();
  assert.equal((await stays)[0]!.tokens[0]![0], 2);
});

test('a view whose tokens are not finite fails alone', async () => {
  const { engine, encode } = setUp(8);
  const good = encode([1]);
  const bad = assert.rejects(encode([2]), { code: 'internal', message: /not finite/ });
  await turn();
  engine.batches[0]!.finish({ finite: { float16: [true, false] } });
  await bad;
  assert.equal((await good)[0]!.tokens[0]![0], 1);
});

test('a float32 view does not fail because the float16 tokens of another overflow', async () => {
  const { engine, encode } = setUp(8);
  const single = encode([1], never, 'float32');
  const half = assert.rejects(encode([2], never, 'float16'), { message: /dtype=float32/ });
  await turn();
  engine.batches[0]!.finish({ finite: { float16: [false, false], float32: [true, true] } });
  await half;
  assert.equal((await single)[0]!.tokens[0]![0], 1);
});

test('a batch with both dtypes gives each caller its own', async () => {
  const { engine, encode } = setUp(8);
  const half = encode([1], never, 'float16');
  const single = encode([2], never, 'float32');
  await turn();
  assert.deepEqual([...engine.batches[0]!.outputs].toSorted(), ['float16', 'float32']);
  engine.batches[0]!.finish();
  assert.deepEqual([...(await half)[0]!.tokens[0]!], [1, 16, 0, 0]);
  assert.deepEqual([...(await single)[0]!.tokens[0]!], [2, 32, 0, 0]);
});

test('a batch with features and embeddings gives each caller its own, and only to those whose rows are finite', async () => {
  const { engine, encode } = setUp(8);
  const features = encode([1], never, 'float32');
  const embeddings = encode([2], never, 'embeddings_float32');
  const tooLarge = encode([3], never, 'embeddings_float16');
  const refused = assert.rejects(tooLarge, /not finite numbers in float16/);
  await turn();
  const finite = [true, true, true];
  const overflow = [true, true, false];
  engine.batches[0]!.finish({
    finite: { float32: finite, embeddings_float32: finite, embeddings_float16: overflow },
  });
  assert.equal((await features)[0]!.tokens[0]![0], 1);
  assert.equal((await embeddings)[0]!.tokens[0]![0], 2);
  await refused;
});

const modelFailed = new ServiceError('internal', 'The model failed on this image.');

test('a failed batch is retried view by view, so that the faulty view fails alone', async () => {
  const { engine, encode, idsOf } = setUp(3);
  const all = [encode([1]), encode([2, 3])];
  const failed = assert.rejects(all[1]!, modelFailed);
  await turn();
  assert.deepEqual(idsOf(0), [1, 2, 3]);
  engine.batches[0]!.fail(modelFailed);
  await turn();
  assert.deepEqual(idsOf(1), [1]);
  engine.batches[1]!.finish();
  assert.equal((await all[0]!)[0]!.tokens[0]![0], 1);
  await turn();
  assert.deepEqual(idsOf(2), [2]);
  engine.batches[2]!.fail(modelFailed);
  await failed;
  await turn();
  assert.equal(engine.batches.length, 3, 'nobody waits for the other view of that request');
});

test('a view that fails twice is not retried again, and the batches behind it run', async () => {
  const { engine, encode, idsOf } = setUp(1);
  const failed = assert.rejects(encode([1]), modelFailed);
  await turn();
  const next = encode([2]);
  const after = encode([3]);
  await turn();
  engine.batches[0]!.fail(modelFailed);
  await turn();
  assert.equal(engine.batches.length, 2, 'the engine still has the batch that was prepared');
  engine.batches[1]!.finish();
  await next;
  await turn();
  assert.deepEqual(idsOf(2), [1]);
  engine.batches[2]!.fail(modelFailed);
  await failed;
  await turn();
  assert.deepEqual(idsOf(3), [3]);
  engine.batches[3]!.finish();
  await after;
});

test('a view is retried with the engine to itself, so that ending the engine fails no other view', async () => {
  const { engine, encode, idsOf } = setUp(1);
  const failed = assert.rejects(encode([1]), modelFailed);
  await turn();
  const innocent = encode([2]);
  await turn();
  assert.equal(engine.batches.length, 2, 'one runs, one is prepared');
  for (const batch of engine.batches) batch.fail(modelFailed);
  await turn();
  assert.deepEqual([engine.batches.length, idsOf(2)], [3, [1]]);
  engine.batches[2]!.fail(modelFailed);
  await failed;
  await turn();
  assert.deepEqual([engine.batches.length, idsOf(3)], [4, [2]]);
  engine.batches[3]!.finish();
  assert.equal((await innocent)[0]!.tokens[0]![0], 2);
});

test('a request whose views are in two failed batches is answered when the retries succeed', async () => {
  const { engine, encode } = setUp(2);
  const answer = encode([1, 2, 3, 4]);
  await turn();
  assert.equal(engine.batches.length, 2, 'one runs, one is prepared');
  for (const batch of engine.batches) batch.fail(modelFailed);
  for (let tried = 2; tried < 6; tried++) {
    await turn();
    assert.equal(engine.batches.length, tried + 1);
    engine.batches[tried]!.finish();
  }
  assert.deepEqual(
    (await answer).map(({ tokens }) => tokens[0]![0]),
    [1, 2, 3, 4],
  );
});

test('the views of a caller that has left are not retried', async () => {
  const { engine, encode } = setUp(2);
  const caller = new AbortController();
  const left = assert.rejects(encode([1], caller.signal), { code: 'cancelled' });
  const stays = encode([2]);
  await turn();
  caller.abort();
  await left;
  engine.batches[0]!.fail(modelFailed);
  await turn();
  assert.deepEqual(
    engine.batches[1]!.views.map(([id]) => id),
    [2],
  );
  engine.batches[1]!.finish();
  await stays;
  assert.equal(engine.batches.length, 2);
});

test('a view whose pixels the engine has consumed is not retried', async () => {
  const { engine, encode } = setUp(1);
  const failed = assert.rejects(encode([1]), modelFailed);
  await turn();
  const { views } = engine.batches[0]!;
  structuredClone(views, { transfer: views.map(({ buffer }) => buffer) });
  engine.batches[0]!.fail(modelFailed);
  await failed;
  assert.equal(engine.batches.length, 1);
});

test('one batch fetches the outputs of all its views, and each view gets those that it wants', async () => {
  const { engine, encode, encodeAll } = setUp(8);
  const deep = encode([1], never, 'hidden_state_minus_3_float16');
  const both = encodeAll([2], ['hidden_state_minus_3_float16', 'penultimate_float16']);
  const tooLarge = encodeAll([3], ['hidden_state_minus_3_float16', 'penultimate_float16']);
  const refused = assert.rejects(tooLarge, /not finite numbers in float16/);
  await turn();
  assert.deepEqual(engine.batches[0]!.outputs, ['hidden_state_minus_3_float16', 'penultimate_float16']);
  const [finite, overflow] = [
    [true, true, true],
    [true, true, false],
  ];
  engine.batches[0]!.finish({
    finite: { hidden_state_minus_3_float16: finite, penultimate_float16: overflow },
  });
  assert.deepEqual(
    (await deep)[0]!.tokens.map(([id]) => id),
    [1],
  );
  assert.deepEqual(
    (await both)[0]!.tokens.map(([id]) => id),
    [2, 2],
  );
  await refused;
});

test('tokens of a shared batch do not keep the batch in memory', async () => {
  const { engine, encode } = setUp(8);
  const answers = [encode([1]), encode([2])];
  await turn();
  engine.batches[0]!.finish();
  for (const [view] of await Promise.all(answers)) assert.equal(view!.tokens[0]!.buffer.byteLength, 4);
});

test('each view says how many views its batch had, those of other requests included', async () => {
  const { engine, encode } = setUp(8);
  const answers = [encode([1]), encode([2, 3]), encode([4])];
  await turn();
  engine.openGate();
  const views = (await Promise.all(answers)).flat();
  assert.deepEqual(
    views.map(({ batchViews }) => batchViews),
    engine.batches.flatMap(({ views: { length } }) => Array.from({ length }, () => length)),
  );
  assert.ok(views.some(({ batchViews }) => batchViews > 1));
});

test('queue time and engine time add up to the time of a view', async () => {
  const { engine, encode, passMs } = setUp(8);
  const answer = encode([1]);
  await turn();
  passMs(30);
  engine.batches[0]!.finish({ engineMs: 20 });
  const [view] = await answer;
  assert.equal(view!.queueMs, 10);
  assert.equal(view!.engineMs, 20);
});

test('every view is answered or rejected, and the next one encoded, in any order of events', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('arrive' as const), views: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('finish' as const) }),
    fc.record({ kind: fc.constant('fail' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (steps, largest) => {
        const { engine, encode } = setUp(largest);
        const callers: AbortController[] = [];
        const settled: Promise<string>[] = [];
        let ended = 0;
        const end = async (kind: 'finish' | 'fail') => {
          const batch = engine.batches[ended];
          if (batch === undefined) return false;
          ended++;
          if (kind === 'finish') batch.finish();
          else batch.fail(new ServiceError('internal', 'failed'));
          await turn();
          return true;
        };
        for (const [index, each] of steps.entries()) {
          if (each.kind === 'arrive') {
            const caller = new AbortController();
            callers.push(caller);
            settled.push(
              encode(
                Array.from({ length: each.views }, () => index),
                caller.signal,
              ).then(
                () => 'answered',
                (error: ServiceError) => error.code,
              ),
            );
          } else if (each.kind === 'leave') callers[each.which]?.abort();
          else await end(each.kind);
          await turn();
          assert.ok(engine.batches.length - ended <= 2, 'one batch runs, one is prepared');
        }
        const mostBatches = 1000;
        for (let left = mostBatches; left > 0 && (await end('finish')); left--);
        await Promise.all(settled);
        const last = encode([1]);
        await turn();
        assert.ok(await end('finish'), 'the engine is free for the next request');
        await last;
        for (const { views } of engine.batches) assert.ok(views.length >= 1 && views.length <= largest);
      },
    ),
    { numRuns: 60 },
  );
});

test('the views of one request fill a batch and share it with other requests', async () => {
  const { engine, encode, idsOf } = setUp(16);
  const running = encode([0]);
  await turn();
  const anyres = encode([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const teacher = encode([11, 12, 13, 14, 15]);
  const single = encode([16]);
  engine.batches[0]!.finish();
  await turn();
  assert.deepEqual(
    idsOf(1),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  engine.openGate();
  await Promise.all([running, anyres, teacher, single]);
  assert.equal(engine.batches.length, 2);
});

test('once a view of a request fails, its waiting views cost no engine time', async () => {
  const { engine, encode, idsOf, batcher } = setUp(2);
  const failing = encode([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const other = encode([11]);
  await turn();
  engine.batches[0]!.finish({ finite: { float16: [false, true] } });
  await assert.rejects(failing, { code: 'internal' });
  await turn();
  assert.deepEqual(
    [idsOf(1), idsOf(2)],
    [
      [3, 4],
      [5, 6],
    ],
    'handed over before the failure',
  );
  engine.openGate();
  await other;
  assert.deepEqual(idsOf(3), [11]);
  assert.equal(batcher.queued, 0);
});

test('a request of thirty views adds one listener to its signal', async () => {
  const { engine, encode } = setUp(8);
  const { signal } = new AbortController();
  const ids = Array.from({ length: 30 }, (_, index) => index);
  const answer = encode(ids, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  engine.openGate();
  await answer;
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

const bulk: SchedulingClass = { ...defaultTerms, priority: 'bulk' };
const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);

test('an interactive view waits only for those bulk batches that the engine has', async () => {
  const { engine, encode, idsOf } = setUp(4);
  const all = [encode(range(100, 40), never, 'float16', bulk)];
  await turn();
  assert.equal(engine.batches.length, 2);
  all.push(encode([1]));
  await turn();
  engine.batches[0]!.finish();
  await turn();
  assert.deepEqual(idsOf(2), [1, 108, 109, 110]);
  engine.openGate();
  await Promise.all(all);
});

test('a caller that floods the queue does not take the share of another', async () => {
  const { engine, encode, idsOf } = setUp(4);
  const classOf = (name: string, weight: number): SchedulingClass => ({
    ...defaultTerms,
    caller: { name, weight, bulkOnly: false },
  });
  const all = [encode(range(100, 60), never, 'float16', classOf('greedy', 1))];
  await turn();
  all.push(encode(range(1, 6), never, 'float16', classOf('modest', 3)));
  await turn();
  for (const batch of [0, 1]) {
    engine.batches[batch]!.finish();
    await turn();
  }
  const next = [...idsOf(2)!, ...idsOf(3)!];
  assert.deepEqual(
    next.filter((id) => id! < 100),
    range(1, 6),
  );
  engine.openGate();
  await Promise.all(all);
});

test('the expected time of interactive views includes the bulk batches that the engine has', async () => {
  const { engine, batcher, viewBudget, encode, passMs } = setUp(2);
  const first = encode([1, 2]);
  await turn();
  engine.batches[0]!.finish({ engineMs: 100 });
  await first;
  const inBulk = encode([3, 4, 5, 6], never, 'float16', { ...defaultTerms, priority: 'bulk' });
  await turn();
  const interactive = encode([7, 8]);
  passMs(30);
  // One bulk batch has 70 ms left and the other 100 ms, and two views wait.
  const ahead = viewBudget.ahead('model', 1, defaultTerms);
  assert.equal(batcher.expectedMs(ahead, 1), 70 + 100 + 100 + 50);
  engine.openGate();
  await Promise.all([inBulk, interactive]);
});

test('the expected time includes the views ahead and the rest of the running batch', async () => {
  const { engine, batcher, encode, passMs } = setUp(2);
  assert.equal(batcher.expectedMs(0, 1), undefined, 'an idle engine starts at once');
  const first = encode([1, 2]);
  await turn();
  engine.batches[0]!.finish({ engineMs: 100 });
  await first;
  assert.equal(batcher.workMs(5), 250);
  const second = encode([3, 4, 5, 6]);
  await turn();
  assert.equal(engine.batches.length, 3);
  passMs(30);
  // The running batch has 70 ms left, and the prepared one takes 100 ms.
  assert.equal(batcher.expectedMs(2, 1), 70 + 100 + 100 + 50);
  passMs(500);
  assert.equal(batcher.expectedMs(0, 2), 0 + 100 + 100, 'an overdue batch is expected to end now');
  engine.openGate();
  await second;
});
