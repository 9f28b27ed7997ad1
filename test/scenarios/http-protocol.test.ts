import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Gate } from '../support/gate.ts';
import { rawExchange, startStubServer, stubTokens } from '../transport/http/stub-server.ts';

const statusesIn = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
const post = 'POST /v1/encode HTTP/1.1\r\nHost: a\r\n';

test('refuses HTTP/1.1 without a Host', async () => {
  const { server } = await startStubServer();
  const answer = await rawExchange(server.port, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
  assert.deepEqual(statusesIn(answer), ['400']);
});

test('ignores an expectation that it does not know', async () => {
  const { server } = await startStubServer();
  const head = `${post}Expect: foo\r\nConnection: close\r\nContent-Length: 1\r\n\r\n`;
  assert.deepEqual(statusesIn(await rawExchange(server.port, `${head}x`)), ['200']);
});

test('asks for the body of a client that waits to be asked, but not of one that speaks HTTP/1.0', async () => {
  const { server } = await startStubServer();
  const expecting = 'Host: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab';
  for (const [version, statuses] of [
    ['1.1', ['100', '200']],
    ['1.0', ['200']],
  ] as const) {
    const answer = await rawExchange(server.port, `POST /v1/encode HTTP/${version}\r\n${expecting}`);
    assert.deepEqual(statusesIn(answer), statuses);
  }
});

test('does not ask a client for a body that it refuses', async () => {
  const { server, encoder } = await startStubServer({ limits: { lingerMs: 50 } });
  encoder.refuse = () => assert.fail('the length is refused first');
  const expecting = 'Expect: 100-continue\r\nContent-Length:';
  for (const [request, status] of [
    [`${post}${expecting} 31457280\r\n\r\n`, '413'],
    [`${post.replace('/v1/encode', '/v1/encode?dtype=int8')}${expecting} 9\r\n\r\n`, '400'],
  ] as const) {
    encoder.refuse = () => undefined;
    assert.deepEqual(statusesIn(await rawExchange(server.port, request)), [status]);
  }
});

test('answers pipelined requests in order', async () => {
  const { server, encoder } = await startStubServer();
  const release = new Gate();
  encoder.answer = async (request) => {
    await release.passed();
    return stubTokens(request);
  };
  const slow = `${post}x-request-id: first\r\nContent-Length: 1\r\n\r\nx`;
  const quick = 'GET /healthz HTTP/1.1\r\nHost: a\r\nx-request-id: second\r\nConnection: close\r\n\r\n';
  const answered = rawExchange(server.port, slow + quick);
  release.open();
  const ids = [...(await answered).matchAll(/^x-request-id: (\w+)/gm)].map(([, id]) => id);
  assert.deepEqual(ids, ['first', 'second']);
});

test('answers a request although what follows it on the connection is no request, and closes it', async () => {
  const { server, encoder } = await startStubServer();
  const [entered, release] = [new Gate(), new Gate()];
  encoder.answer = async (request) => {
    entered.open();
    await release.passed();
    return stubTokens(request);
  };
  const answered = rawExchange(server.port, `${post}Content-Length: 1\r\n\r\nx\0no request\r\n\r\n`);
  await entered.passed();
  release.open();
  assert.deepEqual(statusesIn(await answered), ['200']);
  await server.drain();
});

test('answers a request, and refuses a broken one behind it', async () => {
  const { server, encoder } = await startStubServer({ limits: { lingerMs: 50 } });
  const [entered, release] = [new Gate(), new Gate()];
  encoder.answer = async (request) => {
    entered.open();
    await release.passed();
    return stubTokens(request);
  };
  const broken = `${post}Transfer-Encoding: chunked\r\n\r\nnot a length\r\n`;
  const answered = rawExchange(server.port, `${post}Content-Length: 1\r\n\r\nx${broken}`);
  await entered.passed();
  release.open();
  assert.deepEqual(statusesIn(await answered), ['200', '400']);
});

test('forgets pipelined requests whose connection ends before their turn, so that it can stop', async () => {
  const { server, encoder } = await startStubServer();
  const entered = new Gate();
  encoder.answer = (request) => {
    entered.open();
    return new Promise((_resolve, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason));
    });
  };
  const socket = connect(server.port, '127.0.0.1');
  const health = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
  socket.write(`${post}Content-Length: 1\r\n\r\nx${health.repeat(20)}`);
  await entered.passed();
  socket.destroy();
  await server.drain();
});
