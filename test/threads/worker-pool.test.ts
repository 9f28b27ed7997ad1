import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import { WorkerPool, type WorkerPoolOptions } from '../../src/threads/worker-pool.ts';

function poolOf(context: TestContext, options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const worker = new URL('./small-tasks.js', import.meta.url);
  const pool = new WorkerPool({ worker, threads: 1, ...options });
  context.after(() => pool.close());
  return pool;
}

test('runs a task on its thread and transfers buffers there and back', async (t) => {
  const pool = poolOf(t);
  const values = Uint8Array.of(1, 2, 3);
  const doubled = await pool.run<Uint8Array>('doubled', values, [values.buffer]);
  assert.deepEqual([...doubled], [2, 4, 6]);
  assert.equal(values.byteLength, 0, 'the caller no longer has its buffer');
});

test('rejects with the ServiceError that a task throws, its cause included', async (t) => {
  const refused = poolOf(t).run('refused', {}, []);
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof ServiceError && error.cause instanceof Error);
    assert.deepEqual([error.code, error.message], ['invalid_argument', 'The file is damaged.']);
    assert.equal(error.cause.message, 'It is cut short.');
    return true;
  });
});

test('rejects with internal, and keeps the cause, when a task throws anything else', async (t) => {
  await assert.rejects(poolOf(t).run('broken', {}, []), (error) => {
    assert.ok(error instanceof ServiceError && error.cause instanceof Error);
    assert.deepEqual([error.code, error.cause.message], ['internal', 'no such index']);
    return true;
  });
});

test('rejects the task of a thread that dies, and runs the next one', async (t) => {
  const pool = poolOf(t);
  await assert.rejects(pool.run('dying', {}, []), { code: 'internal' });
  const values = Uint8Array.of(1);
  assert.deepEqual([...(await pool.run<Uint8Array>('doubled', values, [values.buffer]))], [2]);
});

test('starts its threads once, not for each burst of tasks', async (t) => {
  let started = 0;
  const count = () => started++;
  process.on('worker', count);
  t.after(() => process.off('worker', count));
  const pool = poolOf(t, { threads: 2 });
  for (let burst = 0; burst < 5; burst++) {
    await Promise.all([1, 2, 3].map(async (value) => await pool.run('doubled', Uint8Array.of(value), [])));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(started, 2);
});

test('reports a thread that dies before it has a task, and leaves the process alive', async (t) => {
  const error = await new Promise((resolve) => {
    poolOf(t, { worker: new URL('./broken-worker.js', import.meta.url), onThreadError: resolve });
  });
  assert.match(String(error), /died while starting/);
});

test('runs a task that comes while an idle thread ends', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pool = poolOf(t, { idleMs: 60_000 });
  await pool.run('doubled', Uint8Array.of(1), []);
  t.mock.timers.tick(60_000);
  assert.deepEqual([...(await pool.run<Uint8Array>('doubled', Uint8Array.of(2), []))], [4]);
});

test('starts threads on demand when they may end while idle', async (t) => {
  let started = 0;
  const count = () => started++;
  process.on('worker', count);
  t.after(() => process.off('worker', count));
  const pool = poolOf(t, { idleMs: 60_000 });
  assert.equal(started, 0);
  await pool.run('doubled', Uint8Array.of(1), []);
  assert.equal(started, 1);
});
