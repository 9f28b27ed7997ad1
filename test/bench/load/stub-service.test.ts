// Short versions of the load bench's rows: what ends, and how, never how fast.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { makeOffer } from '../../../bench/load/make-offer.ts';
import type { Offer, OfferResult } from '../../../bench/load/offer.ts';
import { placeOf, transports } from '../../../bench/load/rows/row.ts';
import { startStub, type StubOptions, type StubProcess } from '../../../bench/load/stub-process.ts';
import { imageBytes } from '../../support/golden.ts';
import { until } from '../../support/until.ts';

const usualStub: StubOptions = { batchMs: 50, viewMs: 0, batch: 4, queued: 16, channels: 8 };
const image = imageBytes('rocket.jpg');
const usual = { name: 'test', mix: { encode: 1 }, image, seed: 1, settleMs: 0 } as const;

async function stubFor(t: TestContext, options: Partial<StubOptions> = {}): Promise<StubProcess> {
  const stub = await startStub({ ...usualStub, ...options });
  t.after(() => stub.close());
  return stub;
}

/** Every request that was due has ended, by one of these codes. */
function assertEnded({ due, codes }: OfferResult, allowed: readonly string[]): void {
  const ended = Object.values(codes).reduce((sum, count) => sum + count, 0);
  assert.equal(ended, due);
  const others = Object.keys(codes).filter((code) => !allowed.includes(code));
  assert.deepEqual(others, [], JSON.stringify(codes));
}

/** Resolves when the service has nothing under way. */
async function idle({ url }: StubProcess): Promise<void> {
  await until(async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const gauge = (name: RegExp) => Number(name.exec(text)?.[1] ?? Number.NaN);
    // The question itself is one of HTTP's.
    return (
      gauge(/^siglip_hd_inflight_requests\{transport="http"\} (\d+)$/m) === 1 &&
      gauge(/^siglip_hd_views\{state="admitted"\} (\d+)$/m) === 0 &&
      gauge(/^siglip_hd_views\{state="queued"\} (\d+)$/m) === 0
    );
  });
}

async function assertServes(stub: StubProcess): Promise<void> {
  const response = await fetch(`${stub.url}/v1/encode`, { method: 'POST', body: image });
  assert.equal(response.status, 200);
  await response.arrayBuffer();
}

for (const transport of transports) {
  test(`${transport}: far over its rate the service answers some, refuses the others, and loses none`, async (t) => {
    const stub = await stubFor(t);
    const over: Offer = {
      ...usual,
      place: placeOf(stub, transport),
      arrivals: { kind: 'poisson', perSecond: 200 },
      windowMs: 1500,
    };
    const result = await makeOffer(over);
    assertEnded(result, ['ok', 'overloaded']);
    assert.ok((result.codes['ok'] ?? 0) >= usualStub.queued, JSON.stringify(result.codes));
    assert.ok((result.codes['overloaded'] ?? 0) > 0, JSON.stringify(result.codes));
    // What was answered was encoded once.
    assert.equal(await stub.viewsRun(), result.codes['ok']);
    await idle(stub);
    await assertServes(stub);
  });

  test(`${transport}: no engine time goes to clients that left while queued`, async (t) => {
    const stub = await stubFor(t, { batchMs: 700, queued: 64 });
    const before = await stub.viewsRun();
    const result = await makeOffer({
      ...usual,
      place: placeOf(stub, transport),
      arrivals: { kind: 'bursts', calls: 32, everyMs: 60_000 },
      leaving: { share: 0.5, afterMs: 60 },
      windowMs: 100,
    });
    assertEnded(result, ['ok', 'left']);
    const { ok = 0, left = 0 } = result.codes;
    assert.ok(left > 8, JSON.stringify(result.codes));
    await idle(stub);
    const spent = (await stub.viewsRun()) - before;
    // The batch under way and the one prepared.
    assert.ok(spent - ok <= 2 * usualStub.batch, `${spent} views for ${ok} answers, while ${left} left`);
  });

  test(`${transport}: readers that hardly read keep nobody else from an answer`, async (t) => {
    const stub = await stubFor(t, { batchMs: 10, queued: 64, channels: 1152 });
    const place = placeOf(stub, transport);
    const [slow, others] = await Promise.all([
      makeOffer({
        ...usual,
        place,
        arrivals: { kind: 'closed', clients: 20 },
        dtype: 'float32',
        readBytesPerSecond: 10_000,
        windowMs: 2000,
      }),
      makeOffer({
        ...usual,
        place,
        arrivals: { kind: 'poisson', perSecond: 10 },
        windowMs: 2000,
      }),
    ]);
    assertEnded(slow, ['left']);
    assert.equal(slow.due, 20);
    assertEnded(others, ['ok']);
    await idle(stub);
    await assertServes(stub);
  });
}
