import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import { decode } from '../../src/image/decode.ts';
import type { Raster } from '../../src/image/raster.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import type { ViewPool, ViewPoolOptions, ViewSource } from '../../src/image/view-pool.ts';
import makeViews from '../../src/image/view-worker.ts';
import { cutViews } from '../../src/image/cut-views.ts';
import { planEncode } from '../../src/recipes/encode.ts';
import { model } from '../recipes/model.ts';
import { until } from '../support/until.ts';
import { noise } from './noise.ts';

const size = { width: 40, height: 30 };
const plan = planEncode(size, model);
const dying = new URL('./dying-view-worker.js', import.meta.url);
const gated = new URL('./gated-view-worker.js', import.meta.url);
const never = new AbortController().signal;

/** The other side of gated-view-worker.ts. */
function gate(context: TestContext) {
  const channel = new BroadcastChannel('gated-views');
  const inHand: number[] = [];
  channel.addEventListener('message', (event) => {
    inHand.push(((event as MessageEvent).data as { inHand: number }).inHand);
  });
  context.after(() => channel.close());
  return {
    inHand,
    has: (height: number) => until(() => inHand.includes(height)),
    go: (height: number) => channel.postMessage(height),
  };
}

function poolOf(context: TestContext, options: Partial<ViewPoolOptions> = {}): ViewPool {
  const pool = createViewPool({ threads: 1, images: 1, maxPixels: 1e7, ...options });
  context.after(() => pool.close());
  return pool;
}

function pixels(raster: Raster): ViewSource {
  const { width, height } = raster;
  return { image: { kind: 'raster', raster }, size: { width, height }, plan };
}

function file(bytes: Uint8Array, of = { width: 640, height: 427 }): ViewSource {
  return { image: { kind: 'file', bytes }, size: of, plan };
}

/** Until the pool has taken the pixels' buffer. No event is handled meanwhile, so the call is still running then. */
async function taken(raster: Raster): Promise<void> {
  for (let turns = 0; raster.data.byteLength > 0; turns++) {
    assert.ok(turns < 1000, 'the pool never took the pixels');
    await Promise.resolve();
  }
}

/** The bytes of a photograph, in a buffer of their own. */
function rocket(): Uint8Array {
  const path = new URL('../../../test/fixtures/images/rocket.jpg', import.meta.url);
  return new Uint8Array(readFileSync(path));
}

describe('the view pool', () => {
  test("gives the plan's views of pixels and takes their buffer", async (t) => {
    const pool = poolOf(t);
    const raster = noise(size);
    const expected = cutViews(raster, plan.canvases, plan.viewSize);
    const { views } = await pool.make(pixels(raster), 'apply', never);
    assert.deepEqual(views, expected);
    assert.equal(raster.data.byteLength, 0);
    structuredClone(views[0], { transfer: [views[0]!.buffer] });
  });

  test("gives the plan's views of a file and takes its buffer", async (t) => {
    const pool = poolOf(t);
    const raster = await decode(rocket(), { exif: 'apply', maxPixels: 1e7 });
    const bytes = rocket();
    const { views } = await pool.make(file(bytes), 'apply', never);
    assert.deepEqual(views, cutViews(raster, plan.canvases, plan.viewSize));
    assert.equal(bytes.byteLength, 0);
  });

  test('keeps no pixels of the photographs that it has cut', async (t) => {
    const pool = poolOf(t);
    const signal = new AbortController().signal;
    const cut = async (times: number): Promise<number> => {
      for (let time = 0; time < times; time++) await pool.make(file(rocket()), 'apply', signal);
      return process.memoryUsage().rss;
    };
    // Until allocator and garbage collector have what they use anyway.
    const before = await cut(40);
    const pixelBytes = 640 * 427 * 3;
    const after = await cut(200);
    assert.ok(after - before < 100 * pixelBytes, `${(after - before) / pixelBytes} photographs`);
  });

  test('leaves alone the buffer of an image that is a part of it', async (t) => {
    const pool = poolOf(t);
    const bytes = rocket();
    const message = new Uint8Array(bytes.byteLength + 20);
    message.set(bytes, 10);
    const part = message.subarray(10, 10 + bytes.byteLength);
    const { views } = await pool.make(file(part), 'apply', never);
    assert.equal(views.length, 1);
    assert.deepEqual(message.subarray(10, -10), bytes);
  });

  test('fails a file that cannot be decoded as the decoder does, and the next is served', async (t) => {
    const pool = poolOf(t);
    const broken = pool.make(file(rocket().slice(0, 5000)), 'apply', never);
    await assert.rejects(broken, (error) => {
      assert.ok(error instanceof ServiceError);
      assert.equal(error.code, 'invalid_argument');
      assert.match(error.message, /The JPEG cannot be decoded/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
    assert.equal((await pool.make(file(rocket()), 'apply', never)).views.length, 1);
  });

  test('refuses an image that is not of the size it is planned for', async (t) => {
    const pool = poolOf(t);
    await assert.rejects(pool.make(file(rocket(), { width: 641, height: 427 }), 'apply', never), {
      code: 'invalid_argument',
      message: 'The size of the decoded image differs from the one in its header.',
    });
  });

  test('refuses an image of too many pixels', async (t) => {
    const pool = poolOf(t, { maxPixels: 640 * 427 - 1 });
    await assert.rejects(pool.make(file(rocket()), 'apply', never), { code: 'too_large' });
  });

  test('serves more calls than it has threads', async (t) => {
    const pool = poolOf(t, { threads: 2, images: 4 });
    const calls = Array.from({ length: 12 }, (_, i) => pool.make(pixels(noise(size, i)), 'apply', never));
    for (const [i, { views }] of (await Promise.all(calls)).entries()) {
      assert.deepEqual(views, cutViews(noise(size, i), plan.canvases, plan.viewSize));
    }
  });

  test('takes a cancelled call out of the queue, its pixels untouched', async (t) => {
    const pool = poolOf(t);
    const controller = new AbortController();
    const running = pool.make(pixels(noise(size)), 'apply', never);
    const raster = noise(size);
    const waiting = pool.make(pixels(raster), 'apply', controller.signal);
    const after = pool.make(pixels(noise(size)), 'apply', never);
    controller.abort(new ServiceError('deadline_exceeded', 'Too late.'));
    await assert.rejects(waiting, { code: 'deadline_exceeded' });
    assert.equal((await Promise.all([running, after])).length, 2);
    assert.equal(raster.data.byteLength, 40 * 30 * 3);
  });

  test('rejects a running call when its signal fires, and serves on', async (t) => {
    const pool = poolOf(t);
    const controller = new AbortController();
    const raster = noise({ width: 2000, height: 2000 });
    const running = pool.make(pixels(raster), 'apply', controller.signal);
    await taken(raster);
    controller.abort();
    await assert.rejects(running, { code: 'cancelled' });
    assert.equal((await pool.make(pixels(noise(size)), 'apply', never)).views.length, 1);
  });

  test('refuses a call whose signal fired before', async (t) => {
    const pool = poolOf(t);
    await assert.rejects(pool.make(pixels(noise(size)), 'apply', AbortSignal.abort()), { code: 'cancelled' });
  });

  test('fails the call alone when its thread cannot do it', async (t) => {
    const pool = poolOf(t);
    const broken = pool.make(pixels({ ...size, data: new Uint8Array(7) }), 'apply', never);
    const sound = pool.make(pixels(noise(size)), 'apply', never);
    await assert.rejects(broken, { code: 'internal' });
    assert.equal((await sound).views.length, 1);
  });

  test('serves on after a thread died, again and again', async (t) => {
    const pool = poolOf(t, { worker: dying });
    for (let round = 0; round < 3; round++) {
      const fatal = pool.make(pixels(noise({ width: 13, height: 5 })), 'apply', never);
      const sound = pool.make(pixels(noise(size)), 'apply', never);
      await assert.rejects(fatal, { code: 'internal' });
      assert.equal((await sound).views.length, 1);
    }
  });

  test('holds the place of an image until its thread is done with it, though its caller has gone', async (t) => {
    const pool = poolOf(t, { worker: gated, threads: 2 });
    const threads = gate(t);
    const controller = new AbortController();
    const left = pool.make(pixels(noise({ width: 8, height: 1 })), 'apply', controller.signal);
    await threads.has(1);
    controller.abort();
    await assert.rejects(left, { code: 'cancelled' });
    const next = pool.make(pixels(noise({ width: 8, height: 2 })), 'apply', never);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(threads.inHand, [1]);
    threads.go(1);
    await threads.has(2);
    threads.go(2);
    assert.equal((await next).views.length, 1);
  });

  test('closes when the last of several threads has ended its work', async (t) => {
    const pool = createViewPool({ threads: 2, images: 2, maxPixels: 1e7, worker: gated });
    const threads = gate(t);
    const [short, long] = [1, 2].map((height) =>
      pool.make(pixels(noise({ width: 8, height })), 'apply', never),
    );
    await Promise.all([threads.has(1), threads.has(2)]);
    const closed = pool.close();
    threads.go(1);
    assert.equal((await short!).views.length, 1);
    threads.go(2);
    assert.equal((await long!).views.length, 1);
    await closed;
  });

  test('neither decodes nor resizes what nobody waits for any more', async () => {
    const dropped = new Uint8Array(new SharedArrayBuffer(1)).fill(1);
    const decoding = { exif: 'apply', maxPixels: 1e7 } as const;
    const image = { kind: 'file', bytes: rocket() } as const;
    const { outcome } = await makeViews({
      image,
      decoding,
      size: { width: 640, height: 427 },
      plan,
      dropped,
    });
    assert.deepEqual(outcome, {
      kind: 'failed',
      code: 'cancelled',
      message: 'The request was cancelled before its views were made.',
      cause: undefined,
    });
  });

  test('stops between two rows of a picture that nobody waits for any more', async () => {
    const dropped = new Uint8Array(new SharedArrayBuffer(1));
    const decoding = { exif: 'apply', maxPixels: 1e7 } as const;
    const image = { kind: 'file', bytes: rocket() } as const;
    const leaving = {
      ...planEncode({ width: 640, height: 427 }, model),
      // Read once the picture is open, before its rows are.
      get viewSize() {
        dropped.fill(1);
        return model.imageSize;
      },
    };
    const { outcome } = await makeViews({
      image,
      decoding,
      size: { width: 640, height: 427 },
      plan: leaving,
      dropped,
    });
    assert.equal(outcome.kind === 'failed' && outcome.code, 'cancelled');
  });

  test('lets what runs finish and refuses the rest when it closes', async (t) => {
    const pool = poolOf(t);
    const raster = noise({ width: 500, height: 500 });
    const running = pool.make(pixels(raster), 'apply', never);
    const waiting = pool.make(pixels(noise(size)), 'apply', never);
    await taken(raster);
    const closed = pool.close();
    await assert.rejects(waiting, { code: 'unavailable' });
    assert.equal((await running).views.length, 1);
    await closed;
    await assert.rejects(pool.make(pixels(noise(size)), 'apply', never), { code: 'unavailable' });
  });
});
