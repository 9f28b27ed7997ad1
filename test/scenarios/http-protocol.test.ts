import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { pino } from 'pino';
import { startHttpServer } from '../../src/transport/http/server.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { gatedEncoder } from '../support/gated-encoder.ts';

/** What the server answers to these bytes, on a connection that it closes. */
async function answerTo(request: string): Promise<string> {
  const { encoder, close } = gatedEncoder();
  const server = await startHttpServer({
    encoder,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    readPixels: () => undefined,
  });
  try {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(request);
    return await text(socket);
  } finally {
    await server.close();
    await close();
  }
}

test('refuses HTTP/1.1 without a Host as a problem with a request id', async () => {
  const answer = await answerTo('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /application\/problem\+json/);
  assert.match(answer, /x-request-id: \S+/);
  assert.match(answer, /"code":"invalid_argument"/);
});

test('ignores an expectation that it does not know', async () => {
  const answer = await answerTo(
    'GET /healthz HTTP/1.1\r\nHost: here\r\nExpect: foo\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
});

test('forgets pipelined requests whose connection ends before their turn, so that it can stop', async () => {
  const pipelined = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5);
  // The server's close, which answerTo waits for, waits for every request.
  const answer = await answerTo(`${pipelined}\u0000garbage\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 [24]00 /);
});
