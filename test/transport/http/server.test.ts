import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, Agent } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { Budget } from '../../../src/admission/budget.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { until } from '../../support/until.ts';
import { Gate } from '../../support/gate.ts';
import { rawExchange, startStubServer, stubTokens } from './stub-server.ts';

test("fires the request's signal when the client leaves while it is encoded", async () => {
  const { server, encoder, metrics } = await startStubServer();
  const entered = new Gate();
  const aborted = new Promise<unknown>((resolve) => {
    encoder.answer = (request) =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => {
          resolve(request.signal.reason);
          reject(request.signal.reason);
        });
        entered.open();
      });
  });
  const socket = connect(server.port, '127.0.0.1');
  socket.write('POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
  await entered.passed();
  socket.destroy();
  const reason = await aborted;
  assert.ok(reason instanceof ServiceError && reason.code === 'cancelled');
  await server.drain();
  const { text } = await metrics.expose();
  assert.match(text, /code="cancelled"\} 1\n/);
  assert.match(text, /siglip_hd_inflight_requests\{transport="http"\} 0\n/);
});

test('never encodes for a client that leaves in the middle of its body', async () => {
  const { server, encoder } = await startStubServer();
  for (const type of ['image/png', 'multipart/form-data; boundary=x', 'application/json']) {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /encode HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: ${type}\r\nContent-Length: 99\r\n\r\n--x`,
    );
    await once(socket, 'data');
    socket.destroy();
  }
  await server.drain();
  assert.equal(encoder.requests.length, 0);
});

test('leaves the signal alone when the answer has been read', async () => {
  const { url, encoder } = await startStubServer();
  await (await fetch(`${url}/encode`, { method: 'POST', body: 'x' })).arrayBuffer();
  await (await fetch(`${url}/healthz`)).text();
  assert.equal(encoder.requests[0]?.signal.aborted, false);
});

test('lets a client that is still sending 30 MB read its 413', async () => {
  const { server } = await startStubServer();
  for (const framing of ['Content-Length: 31457280', 'Transfer-Encoding: chunked']) {
    const socket = connect(server.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.write(`POST /encode HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    const block = Buffer.alloc(2 ** 20, 'x');
    for (let i = 0; i < 30; i += 1) {
      if (framing.includes('chunked')) socket.write('100000\r\n');
      if (!socket.write(block)) await once(socket, 'drain');
      if (framing.includes('chunked')) socket.write('\r\n');
    }
    if (framing.includes('chunked')) socket.write('0\r\n\r\n');
    await once(socket, 'close');
    assert.match(received, /^HTTP\/1\.1 413 [^]*"code":"too_large"[^]*\}$/);
  }
});

for (const format of ['npy', 'json']) {
  test(`drops a client that reads its answer of ${format} so slowly that it would never end`, async () => {
    const limits = { readGraceMs: 300, readBytesPerSecond: 2 ** 30 };
    const { server, encoder } = await startStubServer({ limits });
    encoder.answer = (request) => {
      const answer = stubTokens(request);
      return { ...answer, tensor: { ...answer.tensor, parts: [new Uint8Array(32 * 2 ** 20)] } };
    };
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.byteLength;
      socket.pause();
      setTimeout(() => socket.resume(), 10);
    });
    socket.write(`POST /encode?format=${format} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
    await once(socket, 'close');
    assert.ok(received > 0 && received < 32 * 2 ** 20, `${received} bytes were read`);
  });
}

for (const format of ['npy', 'json']) {
  test(`drops a client that leaves its answer of ${format} unread`, async () => {
    const { server, encoder } = await startStubServer({
      limits: { readGraceMs: 100, readBytesPerSecond: 2 ** 30 },
    });
    const answering = new Gate();
    encoder.answer = (request) => {
      answering.open();
      const answer = stubTokens(request);
      return { ...answer, tensor: { ...answer.tensor, parts: [new Uint8Array(32 * 2 ** 20)] } };
    };
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /encode?format=${format} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
    await answering.passed();
    await server.drain();
    socket.destroy();
  });
}

test('logs who asked, and what the answer took', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { url, server } = await startStubServer({ logger });
  await (await fetch(`${url}/encode`, { method: 'POST', body: 'x' })).arrayBuffer();
  await server.drain();
  const { peer, images, views, source, ms } = lines.find(({ endpoint }) => endpoint === 'encode')!;
  assert.match(String(peer), /^127\.0\.0\.1:\d+$/);
  assert.deepEqual([images, views, source], ['640x480', 1, 'miss']);
  assert.deepEqual(Object.keys(ms as object), ['decode', 'views', 'queue', 'engine', 'assemble']);
});

test('logs the views of all images of a request', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { url, server } = await startStubServer({ logger });
  const headers = { 'content-type': 'application/json' };
  const body = '{"images":["eA==","eQ=="]}';
  await (await fetch(`${url}/encode`, { method: 'POST', headers, body })).arrayBuffer();
  await server.drain();
  const { images, views } = lines.find(({ endpoint }) => endpoint === 'encode')!;
  assert.deepEqual([images, views], ['640x480 640x480', 2]);
});

test('finishes what is under way when it drains, and closes those connections', async () => {
  const { server, encoder, url } = await startStubServer();
  const entered = new Gate();
  const release = new Gate();
  encoder.answer = async (request) => {
    entered.open();
    await release.passed();
    return stubTokens(request);
  };
  const agent = new Agent({ keepAlive: true });
  const request = httpRequest(`${url}/encode`, { method: 'POST', agent });
  const answered = once(request, 'response');
  request.end('x');
  await entered.passed();
  let drained = false;
  const draining = server.drain().then(() => {
    drained = true;
  });
  await assert.rejects(fetch(`${url}/healthz`), TypeError);
  assert.equal(drained, false);
  release.open();
  const [response] = await answered;
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers.connection, 'close');
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  assert.equal(bytes, Number(response.headers['content-length']));
  await draining;
  agent.destroy();
});

test('refuses an encode that comes on an open connection while it drains', async () => {
  const { server, encoder } = await startStubServer();
  const entered = new Gate();
  const release = new Gate();
  encoder.answer = async (request) => {
    entered.open();
    await release.passed();
    return stubTokens(request);
  };
  const post = 'POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx';
  const early = rawExchange(server.port, post);
  await entered.passed();
  const late = connect(server.port, '127.0.0.1');
  late.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST /encode HTTP/1.1\r\n');
  await once(late, 'data');
  let received = '';
  late.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  const draining = server.drain();
  late.write('Host: a\r\nContent-Length: 1\r\n\r\nx');
  await once(late, 'close');
  assert.match(received, /^HTTP\/1\.1 503 [^]*"code":"unavailable"/);
  release.open();
  await draining;
  assert.match(await early, /^HTTP\/1\.1 200/);
});

for (const sent of ['Content-Length: 9\r\n\r\nx', 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n']) {
  test(`refuses half a body at the drain, which does not wait for the rest: ${sent.split(':')[0]}`, async () => {
    const { server, encoder } = await startStubServer();
    encoder.answer = () => assert.fail('nothing has arrived');
    const half = connect(server.port, '127.0.0.1');
    half.write(`POST /encode HTTP/1.1\r\nHost: a\r\n${sent}`);
    await until(() => server.underWay === 1);
    const draining = server.drain();
    let received = '';
    half.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      // The rest of a refused body is read for a while; this client has nothing more to say.
      half.end();
    });
    await once(half, 'close');
    assert.match(received, /^HTTP\/1\.1 503 [^]*"code":"unavailable"/);
    await draining;
  });
}

test('answers unavailable to what is under way when it is closed', async () => {
  const { server, encoder } = await startStubServer();
  const entered = new Gate();
  encoder.answer = (request) => {
    entered.open();
    return new Promise((_resolve, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason));
    });
  };
  const answer = rawExchange(server.port, 'POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
  await entered.passed();
  await server.close();
  assert.match(await answer, /^HTTP\/1\.1 503 [^]*"code":"unavailable"/);
  assert.equal(encoder.requests[0]?.signal.aborted, true);
  await server.close();
});

test('refuses at once when there is no room for the body, and admits again when the others have gone', async () => {
  const budget = new Budget({ limit: 150, full: () => new ServiceError('overloaded', 'No room.') });
  const { server, url } = await startStubServer({ limits: { maxBodyBytes: 100 }, budget });
  const post = async (length: number) =>
    (await fetch(`${url}/encode`, { method: 'POST', body: 'x'.repeat(length) })).status;
  const silent = connect(server.port, '127.0.0.1');
  // A body of unknown length is charged the most that it may have.
  silent.write(
    'POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n',
  );
  await once(silent, 'data');
  assert.equal(await post(60), 429);
  assert.equal(await post(40), 200);
  silent.destroy();
  await until(() => server.underWay === 0);
  assert.equal(await post(100), 200);
});

test('charges a body what it declares at once, and what it has when it has arrived', async () => {
  const budget = new Budget({ limit: 100, full: () => new ServiceError('overloaded', 'No room.') });
  const { server, url, encoder } = await startStubServer({ limits: { maxBodyBytes: 80 }, budget });
  const post = async (length: number) =>
    (await fetch(`${url}/encode`, { method: 'POST', body: 'x'.repeat(length) })).status;
  const declared = connect(server.port, '127.0.0.1');
  declared.write('POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n');
  await until(() => server.underWay === 1);
  assert.equal(await post(50), 429);
  declared.destroy();
  await until(() => server.underWay === 0);
  const [entered, release] = [new Gate(), new Gate()];
  encoder.answer = async (request) => {
    entered.open();
    await release.passed();
    return stubTokens(request);
  };
  const chunked = rawExchange(
    server.port,
    'POST /encode HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n',
  );
  await entered.passed();
  encoder.answer = stubTokens;
  assert.equal(await post(80), 200);
  release.open();
  assert.match(await chunked, /^HTTP\/1\.1 200 /);
});

test('rejects when the port is taken', async () => {
  const { server } = await startStubServer();
  await assert.rejects(startStubServer({ port: server.port }), {
    code: 'failed_precondition',
    message: `Port ${server.port} on 127.0.0.1 is in use; choose another with --http-port.`,
  });
});

test('a form that is refused while it arrives keeps nobody out', async () => {
  const largest = 9 * 2 ** 20;
  const budget = new Budget({ limit: largest, full: () => new ServiceError('overloaded', 'No room.') });
  const { url } = await startStubServer({ budget });
  const form = (name: string) => {
    const made = new FormData();
    made.append(name, new Blob([new Uint8Array(8 * 2 ** 20)]), 'a.jpg');
    return made;
  };
  for (const [name, expected] of [
    ['wrong', 400],
    ['image', 200],
  ] as const) {
    // The length of a form that fetch sends is declared.
    const body = await new Response(form(name)).blob();
    const { status } = await fetch(`${url}/encode`, { method: 'POST', body });
    assert.equal(status, expected);
  }
});
