import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RequestAbort } from '../../src/errors/abort.ts';
import { startDeadline } from '../../src/encoding/deadline.ts';
import type { ServiceError } from '../../src/errors/service-error.ts';
import type { ImageInput } from '../../src/image/raster.ts';
import { anyresDefaults } from '../../src/recipes/anyres.ts';
import type { EncodeOptions } from '../../src/encoding/request.ts';
import { defaultTerms } from '../../src/admission/priority.ts';
import { gatedEncoder } from '../support/gated-encoder.ts';
import { until } from '../support/until.ts';

const options: EncodeOptions = { dtype: 'float16', exif: 'apply' };
const recipe = { recipe: 'encode' } as const;
const never = new AbortController().signal;
const notAnImage: ImageInput = { kind: 'file', bytes: Buffer.from('not an image') };

/** 8 x 8 pixels of one grey, which the gated engine returns as the first byte of the tokens. */
function grey(level: number): ImageInput {
  return { kind: 'raster', raster: { width: 8, height: 8, data: new Uint8Array(192).fill(level) } };
}

test('several images are answered in order, as one tensor', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const answer = encoder.encode({
    images: [grey(1), grey(2), grey(3)],
    stacked: true,
    recipe,
    options,
    signal: never,
  });
  engine.openGate();
  const { tensor, metadata } = await answer;
  assert.deepEqual(tensor.shape, [3, 1, 2]);
  assert.deepEqual(
    tensor.parts.map((part) => part[0]),
    [1, 2, 3],
  );
  assert.equal(metadata.images.length, 3);
});

test('one bad image fails the request, which names it, and the others cost no engine time', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  const busy = encoder.encode({ images: [grey(9)], stacked: false, recipe, options, signal: never });
  await until(() => engine.batches.length === 1);
  const request = { images: [grey(1), grey(2), notAnImage], stacked: true, recipe, options, signal: never };
  await assert.rejects(encoder.encode(request), (error: ServiceError) => {
    return error.code === 'invalid_argument' && error.message.startsWith('images[2]: ');
  });
  engine.batches[0]!.finish();
  await busy;
  assert.equal(engine.batches.length, 1);
});

test('a bad image does not affect other requests', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const good = encoder.encode({ images: [grey(5)], stacked: false, recipe, options, signal: never });
  const bad = encoder.encode({ images: [notAnImage], stacked: false, recipe, options, signal: never });
  await assert.rejects(bad, { code: 'invalid_argument' });
  await until(() => engine.batches.length === 1);
  engine.batches[0]!.finish();
  assert.equal((await good).tensor.parts[0]![0], 5);
});

test('a request that leaves while it waits costs no engine time and frees its views', async (t) => {
  const { engine, encoder, batcher, close } = gatedEncoder({ maxViews: 2 });
  t.after(close);
  const first = encoder.encode({ images: [grey(1)], stacked: false, recipe, options, signal: never });
  await until(() => engine.batches.length === 1);
  const client = new AbortController();
  const left = encoder.encode({ images: [grey(2)], stacked: false, recipe, options, signal: client.signal });
  await until(() => batcher.queued === 1);
  client.abort();
  await assert.rejects(left, { code: 'cancelled' });
  const next = encoder.encode({ images: [grey(3)], stacked: false, recipe, options, signal: never });
  engine.openGate();
  await Promise.all([first, next]);
  assert.deepEqual(
    engine.batches.map(({ views }) => views.map(([level]) => level)),
    [[1], [3]],
  );
});

test('the stages of an image whose views run in several batches add up to less than its time', async (t) => {
  const { engine, encoder, now, passMs, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  const sentAt = now();
  const tiled = { recipe: 'anyres', ...anyresDefaults, assembly: 'tiles' } as const;
  const answer = encoder.encode({ images: [grey(1)], stacked: false, recipe: tiled, options, signal: never });
  const engineMs = [500, 200];
  for (const [index, ms] of engineMs.entries()) {
    await until(() => engine.batches.length > index);
    passMs(ms);
    engine.batches[index]!.finish({ engineMs: ms });
    await turn();
  }
  const { metadata, timings } = await answer;
  const elapsedMs = now() - sentAt;
  assert.equal(metadata.views, engineMs.length);
  assert.ok(Math.abs(timings.engineMs - 700) < 1, `${timings.engineMs} ms`);
  const { decodeMs, viewsMs, queueMs, assembleMs = 0 } = timings;
  const stagesMs = decodeMs + viewsMs + queueMs + timings.engineMs + assembleMs;
  assert.ok(stagesMs <= elapsedMs, `${stagesMs} of ${elapsedMs} ms`);
});

test('plan refuses an image that is too large to encode', (t) => {
  const { encoder, close } = gatedEncoder();
  t.after(close);
  const size = { width: 1001, height: 1000 };
  assert.throws(() => encoder.plan({ size, recipe: { recipe: 'anyres', ...anyresDefaults }, options }), {
    code: 'too_large',
    message: /1,001 x 1,000/,
  });
});

test('plan refuses a request that can never be admitted', (t) => {
  const { encoder, close } = gatedEncoder({ maxViews: 4 });
  t.after(close);
  const asked = {
    size: { width: 24, height: 24 },
    recipe: { recipe: 'anyres', ...anyresDefaults, maxTiles: 0 },
    options,
  } as const;
  assert.throws(() => encoder.plan(asked), { code: 'too_large', message: /needs 10 views; the limit is 4 / });
  const small = { ...asked, size: { width: 8, height: 8 } };
  const { views } = encoder.plan(small).metadata;
  assert.ok(views <= 3, String(views));
  const narrow = gatedEncoder({ maxViews: views });
  t.after(narrow.close);
  assert.throws(() => narrow.encoder.plan({ ...small, terms: { ...defaultTerms, priority: 'bulk' } }), {
    code: 'too_large',
    message: /bulk requests may use at most 1 of the service's 2 /,
  });
});

test('validate accepts or refuses a request whatever its image and the size of its answer', (t) => {
  const { encoder, close } = gatedEncoder({ maxAnswerBytes: 1 });
  t.after(close);
  encoder.validate({ recipe: { recipe: 'anyres', ...anyresDefaults }, options });
  assert.throws(() => encoder.validate({ recipe, options: { ...options, model: 'other' } }), {
    code: 'not_found',
  });
  assert.throws(
    () => encoder.validate({ recipe, options: { ...options, expectFeatures: ['penultimate'] } }),
    {
      code: 'failed_precondition',
    },
  );
});

test('images that are encoded separately share the size limit of one answer', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxAnswerBytes: 10, cacheBytes: 2 ** 20 });
  t.after(close);
  engine.openGate();
  const outcomes = async (levels: readonly number[]) => {
    const images = levels.map(grey);
    const all = await Promise.all(encoder.encodeEach({ images, recipe, options, signal: never }));
    return all.map((one) => (one.kind === 'encoded' ? 'ok' : `${one.error.code} ${one.error.message}`));
  };
  const refused = 'too_large The answer would have 12 bytes; the limit is 10 (--max-answer-bytes).';
  assert.deepEqual((await outcomes([1, 2, 3])).toSorted(), ['ok', 'ok', refused]);
  assert.deepEqual((await outcomes([1, 2])).toSorted(), ['ok', 'ok'], 'it is the limit of one answer');
  assert.deepEqual((await outcomes([1, 1, 1])).toSorted(), ['ok', 'ok', refused], 'of the cache as well');
});

for (const [what, bound] of [
  ['there is no room for its answer', { maxUnreadBytes: 4 }],
  ['the queue is full', { maxViews: 1 }],
] as const)
  test(`an image that is refused because ${what} takes nothing from the size limit of its request's answer`, async (t) => {
    const { engine, encoder, close } = gatedEncoder({ ...bound, maxAnswerBytes: 8 });
    t.after(close);
    const images = [1, 2, 3].map(grey);
    const each = encoder.encodeEach({ images, recipe, options, signal: never }).map(async (one) => {
      const outcome = await one;
      return outcome.kind === 'failed' ? outcome.error.code : 'ok';
    });
    await until(() => engine.batches.length === 1);
    engine.openGate();
    assert.deepEqual((await Promise.all(each)).toSorted(), ['ok', 'overloaded', 'overloaded']);
  });

test('a full queue refuses at once and says when to retry', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxViews: 1 });
  t.after(close);
  const first = encoder.encode({ images: [grey(1)], stacked: false, recipe, options, signal: never });
  const second = encoder.encode({ images: [grey(2)], stacked: false, recipe, options, signal: never });
  await assert.rejects(second, { code: 'overloaded', retryAfterMs: 1500 });
  await until(() => engine.batches.length === 1);
  engine.batches[0]!.finish();
  await first;
});

test('a request that cannot meet its deadline is refused at once, unless the engine is idle', async (t) => {
  const { engine, times, encoder, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  times.record(1, 60_000);
  const ask = (level: number, waitMs: number) =>
    encoder.encode({
      images: [grey(level)],
      stacked: false,
      recipe,
      options,
      terms: { ...defaultTerms, deadlineAt: performance.now() + waitMs },
      signal: never,
    });
  const idle = ask(1, 1_000);
  await until(() => engine.batches.length === 1);
  await assert.rejects(ask(2, 100_000), {
    code: 'deadline_exceeded',
    message: /^The answer is expected in 1[45]\d{4} ms, but the deadline is in 9\d{4} ms\.$/,
  });
  const patient = ask(3, 160_000);
  await until(() => engine.batches.length === 2);
  await assert.rejects(ask(4, 160_000), { code: 'deadline_exceeded' });
  engine.openGate();
  await Promise.all([idle, patient]);
  assert.equal(engine.batches.length, 2);
});

test('an unexpected model, digest or layer is refused before any work', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const ask = (wish: Partial<EncodeOptions>) =>
    encoder.encode({
      images: [grey(1)],
      stacked: false,
      recipe,
      options: { ...options, ...wish },
      signal: never,
    });
  await assert.rejects(ask({ model: 'other' }), { code: 'not_found', message: /there is: gated/ });
  await assert.rejects(ask({ expectDigest: `sha256:${'1'.repeat(64)}` }), { code: 'failed_precondition' });
  await assert.rejects(ask({ expectFeatures: ['penultimate'] }), { code: 'failed_precondition' });
  assert.equal(engine.batches.length, 0);
});

test('bfloat16 tokens are rounded from float32 tokens', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const answer = encoder.encode({
    images: [grey(1)],
    stacked: false,
    recipe,
    options: { ...options, dtype: 'bfloat16' },
    signal: never,
  });
  await until(() => engine.batches.length === 1);
  assert.deepEqual(engine.batches[0]!.outputs, ['float32']);
  engine.batches[0]!.finish();
  const { tensor } = await answer;
  assert.equal(tensor.dtype, 'bfloat16');
  assert.equal(tensor.parts[0]!.byteLength, 2);
});

test('when the view of one model fails, those for another cost no engine time and are freed', async (t) => {
  // Two busy views, then one of 8 px and one of 16 px, which counts as four.
  const { engine, larger, encoder, close } = gatedEncoder({ largest: 1, maxViews: 7 });
  t.after(close);
  const busy = [1, 2].map((level) =>
    encoder.encode({
      images: [grey(level)],
      stacked: false,
      recipe,
      options: { ...options, model: 'larger' },
      signal: never,
    }),
  );
  await until(() => larger.engine.batches.length === 2);
  const teach = (level: number) =>
    encoder.encode({
      images: [grey(level)],
      stacked: false,
      recipe: { recipe: 'teacher', scales: [8, 16], fusion: 'average', windows: 'whole' },
      options,
      signal: never,
    });
  const whole = teach(3);
  await until(() => engine.batches.length === 1 && larger.batcher.queued === 1);
  await assert.rejects(teach(4), { code: 'overloaded' });
  engine.batches[0]!.finish({ finite: { float32: [false] } });
  await assert.rejects(whole, { code: 'internal' });
  const next = [5, 6, 7, 8, 9].map((level) =>
    encoder.encode({ images: [grey(level)], stacked: false, recipe, options, signal: never }),
  );
  engine.openGate();
  larger.engine.openGate();
  await Promise.all([...busy, ...next]);
  assert.equal(larger.engine.batches.length, 2);
});

test('a request need not wait for views of twice the side that an engine has taken already', async (t) => {
  const { engine, larger, times, encoder, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  const batchMs = 1_000_000;
  times.record(1, batchMs);
  const teach = encoder.encode({
    images: [grey(1)],
    stacked: false,
    recipe: { recipe: 'teacher', scales: [8, 16], fusion: 'average', windows: 'whole' },
    options,
    signal: never,
  });
  // The gated engine's tokens are none that can be averaged.
  const taught = Promise.allSettled([teach]);
  await until(() => engine.batches.length === 1 && larger.engine.batches.length === 1);
  // Time for the batch that runs and for its own, and not for three more.
  const terms = { ...defaultTerms, deadlineAt: performance.now() + 3.5 * batchMs };
  const next = encoder.encode({ images: [grey(2)], stacked: false, recipe, options, terms, signal: never });
  engine.openGate();
  larger.engine.openGate();
  await next;
  await taught;
});

test('a request of many images causes no warning of Node', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  t.after(() => process.off('warning', warn));
  const { signal } = new RequestAbort();
  const images = Array.from({ length: 32 }, (_, level) => grey(level));
  engine.openGate();
  const deadline = startDeadline(signal, 60_000);
  await encoder.encode({ images, stacked: true, recipe, options, signal: deadline.signal });
  deadline.end();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});
