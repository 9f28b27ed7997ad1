import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { Engine, EngineState } from '../../src/inference/engine.ts';
import type { EngineEnd } from '../../src/inference/engine-loss.ts';
import { mostFailedStarts, SupervisedEngine } from '../../src/inference/supervised-engine.ts';
import { GatedEngine } from '../support/gated-engine.ts';
import { until } from '../support/until.ts';

const view = () => [Uint8Array.of(1)];
const died = new ServiceError('unavailable', 'The engine is down.', { cause: new Error('exited with 3') });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An engine that the test can end. */
interface Made {
  readonly engine: GatedEngine;
  /** Ends it like a thread that ends: its batches fail, and it calls onDown. */
  die(): void;
}

function setUp({
  limitMs = 60_000,
  lateMs,
  replaceLimitMs = 60_000,
}: {
  limitMs?: number;
  lateMs?: number;
  replaceLimitMs?: number;
} = {}) {
  const made: Made[] = [];
  const waits: number[] = [];
  const replaced: ServiceError[] = [];
  const ends: { readonly end: EngineEnd; readonly error: ServiceError }[] = [];
  /** How many starts fail from now on. */
  const failing = { starts: 0 };
  const states: EngineState[] = [];
  let started: SupervisedEngine | undefined;
  /** How the probe of a replacement ends. */
  const probe: { outcome: 'runs' | 'fails' | 'ends' | 'hangs' | 'not finite'; once: boolean } = {
    outcome: 'runs',
    once: false,
  };
  const supervised = SupervisedEngine.start({
    start: async (onDown): Promise<Engine> => {
      if (failing.starts > 0) {
        failing.starts--;
        throw new ServiceError('failed_precondition', 'No graph.');
      }
      const engine = new GatedEngine();
      made.push({
        engine,
        die: () => {
          for (const batch of engine.batches) batch.fail(died);
          onDown(died);
        },
      });
      return {
        encode: async (views, outputs) => {
          if (views[0]![0] !== 0) return await engine.encode(views, outputs);
          if (probe.outcome === 'hangs') await new Promise(() => {});
          if (probe.outcome === 'ends') onDown(died);
          if (probe.outcome === 'fails' || probe.outcome === 'ends') throw died;
          const finite = { float32: [probe.outcome === 'runs'] };
          if (probe.once) probe.outcome = 'runs';
          return { tokens: {}, finite, engineMs: 1 };
        },
        close: () => engine.close(),
      };
    },
    limitMs: () => limitMs,
    lateMs: () => lateMs,
    firstLimitMs: 60_000,
    replaceLimitMs: () => replaceLimitMs,
    probe: () => Uint8Array.of(0),
    onReplace: (error) => replaced.push(error),
    onDown: (end, error) => ends.push({ end, error }),
    onChange: () => states.push(started!.state),
    wait: async (waitMs) => {
      waits.push(waitMs);
    },
  });
  void supervised.then((engine) => {
    started = engine;
  });
  return { states, supervised, made, waits, replaced, ends, failing, probe };
}

test('an engine that ends is replaced at once; only its running batch is rejected, and later ones wait', async () => {
  const { supervised, made, waits, replaced } = setUp();
  const engine = await supervised;
  const lost = assert.rejects(engine.encode(view(), ['float16']), {
    code: 'internal',
    message: 'The engine ended while it was running this image.',
  });
  await turn();
  made[0]!.die();
  assert.equal(engine.state, 'down');
  const waiting = engine.encode(view(), ['float16']);
  await lost;
  await turn();
  assert.equal(engine.state, 'up');
  made[1]!.engine.openGate();
  await waiting;
  assert.deepEqual([made.length, waits, replaced], [2, [], [died]]);
  await engine.close();
  assert.ok(made[1]!.engine.closed);
});

test('a failing start is retried after longer and longer waits, and a later end without any', async () => {
  const { supervised, made, waits, failing } = setUp();
  const engine = await supervised;
  failing.starts = mostFailedStarts - 1;
  made[0]!.die();
  await turn();
  assert.equal(engine.state, 'up');
  assert.deepEqual(waits, [500, 1000, 2000, 4000]);
  made[1]!.die();
  await turn();
  assert.deepEqual([made.length, waits.length], [3, 4]);
  await engine.close();
});

test('an engine that never starts again is given up, and all callers are rejected', async () => {
  const { supervised, made, ends, failing } = setUp();
  const engine = await supervised;
  failing.starts = mostFailedStarts;
  made[0]!.die();
  const waiting = engine.encode(view(), ['float16']);
  await assert.rejects(waiting, { code: 'unavailable' });
  assert.equal(made.length, 1);
  assert.deepEqual(
    ends.map(({ end }) => end),
    ['ended'],
  );
  await assert.rejects(engine.encode(view(), ['float16']), { code: 'unavailable' });
  assert.equal(engine.state, 'ended');
  await engine.close();
});

for (const outcome of ['fails', 'ends', 'not finite'] as const) {
  test(`an engine is given up when the probe of every replacement ${outcome}`, async () => {
    const { supervised, made, ends, probe, replaced } = setUp();
    const engine = await supervised;
    probe.outcome = outcome;
    made[0]!.die();
    await assert.rejects(engine.encode(view(), ['float16']), { code: 'unavailable' });
    assert.deepEqual(
      ends.map(({ end }) => end),
      ['ended'],
    );
    assert.deepEqual([made.length, replaced.length], [1 + mostFailedStarts, 1]);
    assert.ok(made.slice(1).every((one) => one.engine.closed));
    await engine.close();
  });
}

test('images that end engines never end the process, however many there are', async () => {
  const { supervised, made, ends } = setUp();
  const engine = await supervised;
  for (let death = 0; death < 50; death++) {
    made.at(-1)!.die();
    await turn();
  }
  assert.deepEqual([made.length, ends.length, engine.state], [51, 0, 'up']);
  await engine.close();
});

test('a replacement that hangs is given up as stuck, and all callers are rejected', async () => {
  const { supervised, made, ends, probe } = setUp({ replaceLimitMs: 5 });
  const engine = await supervised;
  probe.outcome = 'hangs';
  made[0]!.die();
  await assert.rejects(engine.encode(view(), ['float16']), { code: 'unavailable' });
  assert.deepEqual(
    ends.map(({ end }) => end),
    ['stuck'],
  );
  assert.match(String(ends[0]!.error.cause), /did not start within 5 ms/);
  assert.equal(engine.state, 'ended');
  await engine.close();
});

test('a batch that is too large for the device does not count as a failed device', async () => {
  const { supervised, made, ends } = setUp();
  const engine = await supervised;
  const failing = engine.encode(view(), ['float16']);
  await turn();
  const cause = new Error('CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);');
  made[0]!.engine.batches[0]!.fail(new ServiceError('internal', 'The model failed.', { cause }));
  await assert.rejects(failing, { code: 'internal' });
  assert.deepEqual(ends, []);
  await engine.close();
});

test('the first engine is started only once', async () => {
  const start = () => Promise.reject(new ServiceError('failed_precondition', 'No graph.'));
  const isNone = () => assert.fail();
  const options = {
    start,
    limitMs: isNone,
    lateMs: isNone,
    firstLimitMs: 60_000,
    replaceLimitMs: isNone,
    probe: isNone,
    onDown: isNone,
    wait: isNone,
  };
  await assert.rejects(SupervisedEngine.start(options), { code: 'failed_precondition' });
});

test('an engine with a batch that never ends is given up as stuck, and all callers are rejected', async () => {
  const { supervised, made, ends } = setUp({ limitMs: 5 });
  const engine = await supervised;
  const stuck = [engine.encode(view(), ['float16']), engine.encode(view(), ['float16'])];
  for (const one of stuck) await assert.rejects(one, { code: 'unavailable' });
  assert.equal(made[0]!.engine.batches.length, 2);
  assert.equal(engine.state, 'ended');
  assert.deepEqual(
    ends.map(({ end }) => end),
    ['stuck'],
  );
  assert.match(String(ends[0]!.error.cause), /did not finish a batch of 1 views within 5 ms/);
  await assert.rejects(engine.encode(view(), ['float16']), { code: 'unavailable' });
  await engine.close();
  assert.equal(made[0]!.engine.closed, false, 'a stuck engine is left alone');
});

test('the time limit of a batch starts when the batch runs', async () => {
  const { supervised, made, ends } = setUp({ limitMs: 60_000 });
  const engine = await supervised;
  const batches = [engine.encode(view(), ['float16']), engine.encode(view(), ['float16'])];
  await turn();
  for (const batch of made[0]!.engine.batches) batch.finish();
  await Promise.all(batches);
  assert.deepEqual(ends, []);
  await engine.close();
});

test('an engine whose device fails is not replaced', async () => {
  const { supervised, made, ends, replaced } = setUp();
  const engine = await supervised;
  const failing = engine.encode(view(), ['float16']);
  await turn();
  const cause = new Error('CUDA failure 700: an illegal memory access was encountered');
  made[0]!.engine.batches[0]!.fail(new ServiceError('internal', 'The model failed.', { cause }));
  await assert.rejects(failing, { code: 'unavailable' });
  assert.deepEqual(
    ends.map(({ end }) => end),
    ['ended'],
  );
  assert.deepEqual(replaced, []);
  await engine.close();
});

test('a failed run is rejected with internal, and the engine stays up', async () => {
  const { supervised, made, ends } = setUp();
  const engine = await supervised;
  const failing = engine.encode(view(), ['float16']);
  await turn();
  const cause = new Error('Non-zero status code returned while running Add node');
  made[0]!.engine.batches[0]!.fail(new ServiceError('internal', 'The model failed.', { cause }));
  await assert.rejects(failing, { code: 'internal' });
  assert.equal(engine.state, 'up');
  assert.deepEqual(ends, []);
  await engine.close();
});

test('a first engine that hangs while it starts is given up as stuck', async () => {
  const ends: EngineEnd[] = [];
  const starting = SupervisedEngine.start({
    start: () => new Promise(() => {}),
    limitMs: () => 60_000,
    lateMs: () => undefined,
    firstLimitMs: 5,
    replaceLimitMs: () => 5,
    probe: () => Uint8Array.of(0),
    onDown: (end) => ends.push(end),
    wait: async () => {},
  });
  await assert.rejects(starting, { code: 'unavailable' });
  assert.deepEqual(ends, ['stuck']);
});

for (const fault of ['fails', 'gives tokens that are not finite'] as const) {
  /** Has a run end in that fault. */
  const run = async (engine: SupervisedEngine, { engine: made }: Made) => {
    const running = engine.encode(view(), ['float16']).catch((error: ServiceError) => error.code);
    await turn();
    if (fault === 'fails') made.batches.at(-1)!.fail(new ServiceError('internal', 'The model failed.'));
    else made.batches.at(-1)!.finish({ finite: { float16: [false] } });
    await running;
    await turn();
  };

  test(`an engine whose run ${fault} and that runs the probe stays`, async () => {
    const { supervised, made, replaced } = setUp();
    const engine = await supervised;
    await run(engine, made[0]!);
    assert.deepEqual([made.length, replaced.length, engine.state], [1, 0, 'up']);
    await engine.close();
  });

  test(`an engine whose run ${fault} and that gives no finite tokens for the probe is replaced`, async () => {
    const { supervised, made, replaced, probe, states } = setUp();
    const engine = await supervised;
    probe.outcome = 'not finite';
    probe.once = true;
    await run(engine, made[0]!);
    await until(() => engine.state === 'up');
    assert.ok(made[0]!.engine.closed, 'the faulty one is closed');
    assert.deepEqual([made.length, replaced.length], [2, 1]);
    assert.deepEqual([states[0], states.at(-1)], ['down', 'up']);
    made.at(-1)!.engine.openGate();
    await engine.encode(view(), ['float16']);
    await engine.close();
  });
}

test('an engine is late while a batch takes too long, and up again when the batch ends after all', async () => {
  const { supervised, made, states, ends } = setUp({ lateMs: 5, limitMs: 60_000 });
  const engine = await supervised;
  const slow = engine.encode(view(), ['float16']);
  await until(() => engine.state === 'late');
  made[0]!.engine.openGate();
  await slow;
  assert.deepEqual(states, ['late', 'up']);
  assert.deepEqual(ends, []);
  await engine.close();
});

test('a late batch that ends within its limit leaves no limit behind', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const tick = (ms: number) => context.mock.timers.tick(ms);
  const { supervised, made, states, ends } = setUp({ lateMs: 5, limitMs: 20 });
  const engine = await supervised;
  const slow = engine.encode(view(), ['float16']);
  await turn();
  tick(5);
  assert.equal(engine.state, 'late');
  tick(5);
  made[0]!.engine.batches[0]!.finish();
  await slow;
  tick(60);
  assert.deepEqual([engine.state, states, ends], ['up', ['late', 'up'], []]);
  const next = engine.encode(view(), ['float16']);
  await turn();
  made[0]!.engine.batches[1]!.finish();
  await next;
  await engine.close();
});

test("an engine that is late for too long is stuck, and its late answer is nobody's", async () => {
  const { supervised, made, states } = setUp({ lateMs: 5, limitMs: 20 });
  const engine = await supervised;
  await assert.rejects(engine.encode(view(), ['float16']), { code: 'unavailable' });
  assert.deepEqual(states, ['late', 'ended']);
  made[0]!.engine.openGate();
  await turn();
  assert.equal(engine.state, 'ended');
  await engine.close();
});
