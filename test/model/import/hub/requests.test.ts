import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { readHubAccess } from '../../../../src/model/import/hub/access.ts';
import { Requests } from '../../../../src/model/import/hub/requests.ts';

/** The address of a server that answers so until the test ends. */
async function startServer(t: TestContext, answer: RequestListener): Promise<URL> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const get = { method: 'GET', headers: {}, signal: new AbortController().signal } as const;

test('a server that accepts a connection and says nothing is given up', async (t) => {
  const url = await startServer(t, () => undefined);
  const requests = new Requests(readHubAccess({ HOME: '/nowhere' }), 50);
  t.after(() => requests.close());
  await assert.rejects(requests.send(url, get), {
    code: 'unavailable',
    message: /^127\.0\.0\.1:\d+ cannot be reached: nothing arrives\.$/,
  });
});

test('a body that stops arriving fails, and one that is slow does not', async (t) => {
  const url = await startServer(t, ({ url: path }, response) => {
    response.write('a');
    if (path === '/slow') {
      let writes = 0;
      const timer = setInterval(() => {
        response.write('b');
        writes += 1;
        if (writes < 8) return;
        clearInterval(timer);
        response.end();
      }, 150);
    }
  });
  const requests = new Requests(readHubAccess({ HOME: '/nowhere' }), 1000);
  t.after(() => requests.close());
  assert.equal(await text(await requests.send(new URL('/slow', url), get)), `a${'b'.repeat(8)}`);
  await assert.rejects(text(await requests.send(url, get)), { message: 'nothing arrives' });
});
