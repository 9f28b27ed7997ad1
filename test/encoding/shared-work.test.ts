import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import sharp from 'sharp';
import { anyone } from '../../src/admission/caller.ts';
import type { ImageTokens } from '../../src/encoding/encoded-image.ts';
import type { ImageInput } from '../../src/image/raster.ts';
import type { EncodeRequest } from '../../src/encoding/request.ts';
import { type RequestTerms, defaultTerms } from '../../src/admission/priority.ts';
import { Gate } from '../support/gate.ts';
import { gatedEncoder } from '../support/gated-encoder.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;

function grey(level: number): ImageInput {
  return { kind: 'raster', raster: { width: 8, height: 8, data: new Uint8Array(192).fill(level) } };
}

function request(
  images: EncodeRequest['images'],
  terms: Partial<RequestTerms> = {},
  signal = never,
): EncodeRequest {
  const options = { dtype: 'float16', exif: 'apply' } as const;
  const recipe = { recipe: 'encode' } as const;
  return {
    images,
    stacked: images.length > 1,
    recipe,
    options,
    terms: { ...defaultTerms, ...terms },
    signal,
  };
}

/** A file, and its digest. */
async function picture() {
  const file = await sharp({ create: { width: 9, height: 7, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
  // sharp's own buffer cannot be transferred.
  const bytes = Uint8Array.from(file);
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

const withCache = { cacheBytes: 2 ** 20 };

test('the same image is answered from the cache, even when no view can be admitted', async (t) => {
  const { engine, encoder, viewBudget, close } = gatedEncoder({ ...withCache, maxViews: 1 });
  t.after(close);
  const first = encoder.encode(request([grey(3)]));
  await until(() => engine.batches.length === 1);
  engine.batches[0]!.finish();
  assert.deepEqual((await first).sources, ['miss']);
  const blocking = encoder.encode(request([grey(4)]));
  await until(() => viewBudget.admitted === 1);
  const again = await encoder.encode(request([grey(3)]));
  assert.deepEqual(again.sources, ['hit']);
  assert.deepEqual(again.tensor, (await first).tensor);
  assert.deepEqual(again.metadata, (await first).metadata);
  await assert.rejects(encoder.encode(request([grey(5)])), { code: 'overloaded' });
  engine.openGate();
  await blocking;
});

test('a thousand requests for one image cost one view', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxViews: 1 });
  t.after(close);
  const all = Array.from({ length: 1000 }, () => encoder.encode(request([grey(9)])));
  await until(() => engine.batches.length === 1);
  engine.batches[0]!.finish();
  const answers = await Promise.all(all);
  assert.equal(engine.batches.length, 1);
  const sources = answers.flatMap((answer) => answer.sources);
  assert.equal(sources.filter((source) => source === 'joined').length, 999);
});

test('an image that is in a request twice is encoded once', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  engine.openGate();
  const { tensor, sources } = await encoder.encode(request([grey(1), grey(2), grey(1)]));
  assert.deepEqual(
    tensor.parts.map(([value]) => value),
    [1, 2, 1],
  );
  assert.deepEqual(sources, ['miss', 'miss', 'joined']);
});

test('a request that leaves does not take the answer from those that joined it', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const leaving = new AbortController();
  const left = encoder.encode(request([grey(3)], {}, leaving.signal));
  const joined = encoder.encode(request([grey(3)]));
  await until(() => engine.batches.length === 1);
  leaving.abort();
  await assert.rejects(left, { code: 'cancelled' });
  engine.openGate();
  assert.deepEqual((await joined).sources, ['joined']);
});

test('work that all its requests have left costs no engine time', async (t) => {
  const { engine, encoder, batcher, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  const busy = encoder.encode(request([grey(1)]));
  await until(() => engine.batches.length === 1);
  const second = encoder.encode(request([grey(2)]));
  await until(() => engine.batches.length === 2);
  const [first, other] = [new AbortController(), new AbortController()];
  const begun = encoder.encode(request([grey(3)], {}, first.signal));
  const joined = encoder.encode(request([grey(3)], {}, other.signal));
  await until(() => batcher.queued === 1);
  first.abort();
  await assert.rejects(begun, { code: 'cancelled' });
  other.abort();
  await assert.rejects(joined, { code: 'cancelled' });
  engine.openGate();
  await Promise.all([busy, second]);
  assert.equal(engine.batches.length, 2);
});

test('an interactive request does not wait for the same image in bulk', async (t) => {
  const { engine, encoder, batcher, close } = gatedEncoder({ largest: 1 });
  t.after(close);
  const busy = [encoder.encode(request([grey(1)])), encoder.encode(request([grey(2)]))];
  await until(() => engine.batches.length === 2);
  const bulk = encoder.encode(request([grey(3)], { priority: 'bulk' }));
  await until(() => batcher.queued === 1);
  const interactive = encoder.encode(request([grey(3)]));
  await until(() => batcher.queued === 2);
  engine.openGate();
  const answers = await Promise.all([...busy, bulk, interactive]);
  assert.deepEqual(
    answers.slice(2).flatMap(({ sources }) => sources),
    ['miss', 'miss'],
  );
});

test('a refused request does not fail others for the same image', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxViews: 3 });
  t.after(close);
  engine.openGate();
  const tooMany = encoder.encode(request([grey(1), grey(2), grey(3), grey(4), grey(5)]));
  const others = [encoder.encode(request([grey(2)])), encoder.encode(request([grey(2)]))];
  await assert.rejects(tooMany, { code: 'too_large', message: /^The request needs [45] views/ });
  const answers = await Promise.all(others);
  assert.deepEqual(answers.flatMap(({ sources }) => sources).toSorted(), ['joined', 'miss']);
});

test('a request with an image does not fail with a request for its unknown digest', async (t) => {
  const slow = new Gate();
  let looks = 0;
  const remoteCache = {
    get: async () => {
      looks++;
      await slow.passed();
      return undefined;
    },
    set: () => undefined,
    close: async () => undefined,
  };
  const { engine, encoder, close } = gatedEncoder({ remoteCache });
  t.after(close);
  engine.openGate();
  const { bytes, digest } = await picture();
  const asking = encoder.encode(request([{ kind: 'digest', digest }]));
  const refused = assert.rejects(asking, { code: 'not_found' });
  const sent = encoder.encode(request([{ kind: 'file', bytes }]));
  await until(() => looks === 2);
  slow.open();
  await refused;
  assert.deepEqual((await sent).sources, ['miss']);
});

test('a request by digest joins the work under way for its image', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const { bytes, digest } = await picture();
  const sent = encoder.encode(request([{ kind: 'file', bytes }]));
  await until(() => engine.batches.length === 1);
  const asked = encoder.encode(request([{ kind: 'digest', digest }]));
  engine.openGate();
  assert.deepEqual((await asked).sources, ['joined']);
  assert.deepEqual((await asked).tensor, (await sent).tensor);
});

test('a request may name an image by its digest and send it as well, without a cache', async (t) => {
  const { engine, encoder, close } = gatedEncoder();
  t.after(close);
  const { bytes, digest } = await picture();
  const file = (): ImageInput => ({ kind: 'file', bytes: Uint8Array.from(bytes) });
  const first = encoder.encode(request([file()]));
  await until(() => engine.batches.length === 1);
  const both = encoder.encode(request([{ kind: 'digest', digest }, file()]));
  engine.batches[0]!.finish();
  await first;
  engine.openGate();
  assert.deepEqual((await both).sources, ['joined', 'miss']);
});

test('a thousand requests for one image that does not fit are all refused at once', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxViews: 1 });
  t.after(close);
  const busy = encoder.encode(request([grey(1)]));
  await until(() => engine.batches.length === 1);
  const all = await Promise.allSettled(
    Array.from({ length: 1000 }, () => encoder.encode(request([grey(9)]))),
  );
  assert.ok(all.every((one) => one.status === 'rejected' && one.reason.code === 'overloaded'));
  engine.openGate();
  await busy;
});

test('a caller is not refused within its share, however often others are refused for the same image', async (t) => {
  const [greedy, modest] = [
    { ...anyone, name: 'greedy' },
    { ...anyone, name: 'modest' },
  ];
  const { engine, encoder, viewBudget, close } = gatedEncoder({
    maxViews: 4,
    shareCache: true,
    callers: () => [greedy, modest],
  });
  t.after(close);
  const busy = Array.from({ length: 3 }, (_, level) =>
    encoder.encode(request([grey(level)], { caller: greedy })),
  );
  await until(() => viewBudget.admitted === 3);
  const refused = [1, 2, 3].map(() =>
    assert.rejects(encoder.encode(request([grey(9)], { caller: greedy })), { code: 'overloaded' }),
  );
  const answered = encoder.encode(request([grey(9)], { caller: modest }));
  await Promise.all(refused);
  engine.openGate();
  assert.deepEqual((await answered).sources, ['miss']);
  await Promise.all(busy);
});

test('a small request is answered while large ones for the same image are refused', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxViews: 3, maxAnswerBytes: 15 });
  t.after(close);
  engine.openGate();
  const four = [grey(1), grey(2), grey(3), grey(4)];
  const large = [1, 2].map(() => encoder.encode(request(four)));
  const small = encoder.encode(request([grey(4)]));
  for (const one of await Promise.allSettled(large)) {
    assert.equal(one.status === 'rejected' && one.reason.code, 'too_large');
  }
  assert.deepEqual((await small).sources, ['miss']);
});

test('remote tokens of the wrong size are a miss', async (t) => {
  let kept: ImageTokens | undefined;
  const remoteCache = { get: async () => kept, set: () => undefined, close: async () => undefined };
  const { engine, encoder, close } = gatedEncoder({ remoteCache });
  t.after(close);
  engine.openGate();
  const sources = async () => (await encoder.encode(request([grey(1)]))).sources;
  kept = { size: { width: 8, height: 8 }, parts: [new Uint8Array(4)] };
  assert.deepEqual(await sources(), ['hit']);
  for (const [width, bytes] of [
    [8, 3],
    [0, 4],
    [Number.NaN, 4],
  ] as const) {
    kept = { size: { width, height: 8 }, parts: [new Uint8Array(bytes)] };
    assert.deepEqual(await sources(), ['miss']);
  }
});

test('a no-store request is neither answered from the cache nor cached', async (t) => {
  const { engine, encoder, close } = gatedEncoder(withCache);
  t.after(close);
  engine.openGate();
  const sourcesOf = async (terms: Partial<RequestTerms>) =>
    (await encoder.encode(request([grey(6)], terms))).sources;
  assert.deepEqual(await sourcesOf({ noStore: true }), ['miss']);
  assert.deepEqual(await sourcesOf({}), ['miss']);
  assert.deepEqual(await sourcesOf({ noStore: true }), ['miss']);
  assert.deepEqual(await sourcesOf({}), ['hit']);
});

test("one caller's cached tokens do not answer another", async (t) => {
  const { engine, encoder, close } = gatedEncoder(withCache);
  t.after(close);
  engine.openGate();
  const sourcesOf = async (name: string) =>
    (await encoder.encode(request([grey(6)], { caller: { ...anyone, name } }))).sources;
  assert.deepEqual(
    [await sourcesOf('a'), await sourcesOf('b'), await sourcesOf('a')],
    [['miss'], ['miss'], ['hit']],
  );
});

test('a file is found by its digest once it is cached, and not before', async (t) => {
  const { engine, encoder, close } = gatedEncoder(withCache);
  t.after(close);
  engine.openGate();
  const { bytes, digest } = await picture();
  await assert.rejects(encoder.encode(request([{ kind: 'digest', digest }])), { code: 'not_found' });
  const { tensor } = await encoder.encode(request([{ kind: 'file', bytes }]));
  const found = await encoder.encode(request([{ kind: 'digest', digest }]));
  assert.deepEqual([found.sources, found.tensor], [['hit'], tensor]);
});

test('a failure is not cached', async (t) => {
  const { engine, encoder, close } = gatedEncoder(withCache);
  t.after(close);
  const failing = encoder.encode(request([grey(7)]));
  await until(() => engine.batches.length === 1);
  engine.batches[0]!.finish({ finite: { float16: [false] } });
  await assert.rejects(failing, { code: 'internal' });
  engine.openGate();
  assert.deepEqual((await encoder.encode(request([grey(7)]))).sources, ['miss']);
});

test('answers count until they are released, and further ones are refused', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ ...withCache, maxUnreadBytes: 8 });
  t.after(close);
  engine.openGate();
  const unread = [await encoder.encode(request([grey(1)])), await encoder.encode(request([grey(1)]))];
  await assert.rejects(encoder.encode(request([grey(1)])), { code: 'overloaded' });
  unread[0]!.release();
  unread[0]!.release();
  const third = await encoder.encode(request([grey(1)]));
  assert.deepEqual(third.sources, ['hit']);
  await assert.rejects(encoder.encode(request([grey(1)])), { code: 'overloaded' });
});

test('an answer that does not fit is refused before anything is encoded', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxUnreadBytes: 12 });
  t.after(close);
  engine.openGate();
  const unread = [await encoder.encode(request([grey(1)])), await encoder.encode(request([grey(2)]))];
  const batches = engine.batches.length;
  await assert.rejects(encoder.encode(request([grey(3), grey(4)])), { code: 'overloaded' });
  assert.equal(engine.batches.length, batches);
  for (const { release } of unread) release();
  assert.equal((await encoder.encode(request([grey(3), grey(4)]))).tensor.shape[0], 2);
});

test('an answer is reserved as soon as it is planned', async (t) => {
  const { engine, encoder, close } = gatedEncoder({ maxUnreadBytes: 8 });
  t.after(close);
  const both = encoder.encode(request([grey(1), grey(2)]));
  await until(() => engine.batches.length === 1);
  await assert.rejects(encoder.encode(request([grey(3)])), { code: 'overloaded' });
  engine.openGate();
  (await both).release();
  assert.deepEqual((await encoder.encode(request([grey(3)]))).sources, ['miss']);
});

test('a request that leaves, fails or is refused frees the bytes of its answer', async (t) => {
  const { engine, encoder, viewBudget, close } = gatedEncoder({ maxViews: 1, maxUnreadBytes: 8 });
  t.after(close);
  const leaving = new AbortController();
  const left = encoder.encode(request([grey(1)], {}, leaving.signal));
  await until(() => engine.batches.length === 1);
  await assert.rejects(encoder.encode(request([grey(2)])), { code: 'overloaded', message: /queue is full/ });
  leaving.abort();
  await assert.rejects(left, { code: 'cancelled' });
  engine.batches[0]!.finish();
  await until(() => viewBudget.admitted === 0);
  const failing = encoder.encode(request([grey(3)]));
  await until(() => engine.batches.length === 2);
  engine.batches[1]!.finish({ finite: { float16: [false] } });
  await assert.rejects(failing, { code: 'internal' });
  engine.openGate();
  // Two answers fit, so the three above hold nothing.
  await encoder.encode(request([grey(4)]));
  await encoder.encode(request([grey(5)]));
});
