import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ServiceError } from '../../src/errors.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import type { ViewPool } from '../../src/image/view-pool.ts';
import { cutViews } from '../../src/image/views.ts';
import { planEncode } from '../../src/recipes/encode.ts';
import { model } from '../recipes/model.ts';
import { noise } from './noise.ts';

const size = { width: 40, height: 30 };
const plan = planEncode(size, model);
const dying = new URL('./dying-view-worker.js', import.meta.url);

function poolOf(context: TestContext, options: { threads: number; worker?: URL }): ViewPool {
  const pool = createViewPool(options);
  context.after(() => pool.close());
  return pool;
}

describe('the view pool', () => {
  test("gives the plan's views and takes the raster's buffer", async (t) => {
    const pool = poolOf(t, { threads: 1 });
    const raster = noise(size);
    const expected = cutViews(raster, plan.canvases, plan.viewSize);
    const views = await pool.cut(raster, plan);
    assert.deepEqual(views, expected);
    assert.equal(raster.data.byteLength, 0);
    structuredClone(views[0], { transfer: [views[0]!.buffer] });
  });

  test('serves more calls than it has threads', async (t) => {
    const pool = poolOf(t, { threads: 2 });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => pool.cut(noise(size, i), plan)));
    for (const [i, views] of answers.entries()) {
      assert.deepEqual(views, cutViews(noise(size, i), plan.canvases, plan.viewSize));
    }
  });

  test('takes a cancelled call out of the queue, its raster untouched', async (t) => {
    const pool = poolOf(t, { threads: 1 });
    const controller = new AbortController();
    const running = pool.cut(noise(size), plan);
    const raster = noise(size);
    const waiting = pool.cut(raster, plan, controller.signal);
    const after = pool.cut(noise(size), plan);
    controller.abort(new ServiceError('deadline_exceeded', 'Too late.'));
    await assert.rejects(waiting, { code: 'deadline_exceeded' });
    assert.equal((await Promise.all([running, after])).length, 2);
    assert.equal(raster.data.byteLength, 40 * 30 * 3);
  });

  test('rejects a running call when its signal fires, and serves on', async (t) => {
    const pool = poolOf(t, { threads: 1 });
    const controller = new AbortController();
    const raster = noise({ width: 2000, height: 2000 });
    const running = pool.cut(raster, plan, controller.signal);
    while (raster.data.byteLength > 0) await Promise.resolve();
    controller.abort();
    await assert.rejects(running, { code: 'cancelled' });
    assert.equal((await pool.cut(noise(size), plan)).length, 1);
  });

  test('refuses a call whose signal fired before', async (t) => {
    const pool = poolOf(t, { threads: 1 });
    await assert.rejects(pool.cut(noise(size), plan, AbortSignal.abort()), { code: 'cancelled' });
  });

  test('fails the call alone when a thread cannot do it', async (t) => {
    const pool = poolOf(t, { threads: 1 });
    const broken = pool.cut({ ...size, data: new Uint8Array(7) }, plan);
    const sound = pool.cut(noise(size), plan);
    await assert.rejects(broken, { code: 'internal' });
    assert.equal((await sound).length, 1);
  });

  test('fails the call alone when its buffer is gone', async (t) => {
    const pool = poolOf(t, { threads: 1 });
    const raster = noise(size);
    await pool.cut(raster, plan);
    await assert.rejects(pool.cut(raster, plan), { code: 'internal' });
    assert.equal((await pool.cut(noise(size), plan)).length, 1);
  });

  test('serves on after a thread died, again and again', async (t) => {
    const pool = poolOf(t, { threads: 1, worker: dying });
    for (let round = 0; round < 3; round++) {
      const fatal = pool.cut(noise({ width: 13, height: 5 }), plan);
      const sound = pool.cut(noise(size), plan);
      await assert.rejects(fatal, { code: 'internal' });
      assert.equal((await sound).length, 1);
    }
  });

  test('lets what runs finish and refuses the rest when it closes', async () => {
    const pool = createViewPool({ threads: 1 });
    const raster = noise({ width: 500, height: 500 });
    const running = pool.cut(raster, plan);
    const waiting = pool.cut(noise(size), plan);
    while (raster.data.byteLength > 0) await Promise.resolve();
    const closed = pool.close();
    await assert.rejects(waiting, { code: 'unavailable' });
    assert.equal((await running).length, 1);
    await closed;
    await assert.rejects(pool.cut(noise(size), plan), { code: 'unavailable' });
  });
});
