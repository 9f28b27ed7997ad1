import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { makeOffer } from '../../../bench/load/make-offer.ts';
import type { Offer } from '../../../bench/load/offer.ts';
import { until } from '../../support/until.ts';

/** A server that hands every response to the test once its request is read. */
async function serverOf(t: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const offer = (url: string, more: Partial<Offer>): Offer => ({
  name: 'test',
  place: { transport: 'http', url },
  arrivals: { kind: 'closed', clients: 1 },
  mix: { encode: 1 },
  image: Buffer.from('image'),
  seed: 1,
  settleMs: 0,
  windowMs: 300,
  ...more,
});

test('an open loop sends what is due though nothing is answered', async (t) => {
  const held: ServerResponse[] = [];
  const url = await serverOf(t, (response) => {
    held.push(response);
    // A closed loop would never come this far.
    if (held.length === 20) for (const one of held) one.end('tokens');
    if (held.length > 20) response.end('tokens');
  });
  const arrivals = { kind: 'bursts', calls: 10, everyMs: 100 } as const;
  const result = await makeOffer(offer(url, { arrivals }));
  assert.deepEqual(result.codes, { ok: 30 });
  // The first ten waited for the second burst.
  assert.ok(result.latency['ok']!.maxMs >= 95, JSON.stringify(result.latency));
  assert.equal(result.sizeBytes, 30 * 'tokens'.length);
});

test('a closed loop has no more under way than clients', async (t) => {
  let underWay = 0;
  let most = 0;
  const url = await serverOf(t, (response) => {
    most = Math.max(most, ++underWay);
    setTimeout(() => {
      underWay--;
      response.end();
    }, 5);
  });
  const { codes, due } = await makeOffer(offer(url, { arrivals: { kind: 'closed', clients: 3 } }));
  assert.equal(most, 3);
  assert.deepEqual(codes, { ok: due });
});

test('counts refusals by the code that the problem names, and comes back when it says', async (t) => {
  let asked = 0;
  const url = await serverOf(t, (response) => {
    asked++;
    response.writeHead(429, { 'retry-after-ms': '250' }).end('{"code":"overloaded"}');
  });
  const { codes } = await makeOffer(offer(url, {}));
  assert.deepEqual(codes, { overloaded: asked });
  assert.ok(asked <= 2, `${asked} requests in 300 ms`);
});

test('gives requests up when they are to leave', async (t) => {
  let [seen, gone] = [0, 0];
  const url = await serverOf(t, (response) => {
    seen++;
    response.once('close', () => gone++);
  });
  const arrivals = { kind: 'bursts', calls: 5, everyMs: 1000 } as const;
  const leaving = { share: 1, afterMs: 50 };
  const { codes, latency } = await makeOffer(offer(url, { arrivals, leaving }));
  assert.deepEqual(codes, { left: 5 });
  assert.equal(latency['left']!.count, 5);
  await until(() => gone === seen);
});

test('an answer that is cut off, and a service that is not there, are outcomes too', async (t) => {
  const url = await serverOf(t, (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half');
    setTimeout(() => response.destroy(), 20);
  });
  const arrivals = { kind: 'bursts', calls: 2, everyMs: 1000 } as const;
  assert.deepEqual((await makeOffer(offer(url, { arrivals }))).codes, { cut_off: 2 });
  const nowhere = 'http://127.0.0.1:9';
  const socket = connect(9, '127.0.0.1');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  const { codes } = await makeOffer(offer(nowhere, { arrivals }));
  assert.deepEqual(codes, { [error.code!]: 2 });
});
