// The service on Unix domain sockets, beside its ports.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { once } from 'node:events';
import { spawnSync } from 'node:child_process';
import { pino } from 'pino';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { type ServiceConfig, startService } from '../../src/service.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { imageBytes } from '../support/golden.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const key = 'ada-0123456789abcdef';

async function prepare(t: TestContext, overrides: Partial<ServiceConfig> = {}) {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const sockets = {
    httpSocket: join(scratch.path, 'http.sock'),
    grpcSocket: join(scratch.path, 'grpc.sock'),
  };
  const config = serviceConfig({ models: [{ name: 'tiny', folder }], ...sockets, ...overrides });
  const start = () => startService(config, pino({ level: 'silent' }), () => {});
  return { ...sockets, folder: scratch.path, start };
}

async function postOver(
  socketPath: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Buffer }> {
  const posted = request({
    socketPath,
    path: '/v1/encode?format=raw',
    method: 'POST',
    headers,
    agent: false,
  });
  const answered = once(posted, 'response');
  posted.end(imageBytes('rocket.jpg'));
  const [response] = (await answered) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await buffer(response) };
}

function clientOver(t: TestContext, path: string): TestClient {
  const client = new TestClient(`unix:${path}`, 'siglip_hd.v1.VisualEncoderService');
  t.after(() => client.close());
  return client;
}

test('both sockets answer as the ports do, and are gone after the service', async (t) => {
  const { httpSocket, grpcSocket, folder, start } = await prepare(t);
  const service = await start();
  const http = await postOver(httpSocket);
  const outcome = await clientOver(t, grpcSocket).call<EncodeResponse>('Encode', {
    image: { file: imageBytes('rocket.jpg') },
  });
  const port = await fetch(`http://127.0.0.1:${service.httpPort}/v1/encode?format=raw`, {
    method: 'POST',
    body: imageBytes('rocket.jpg'),
  });
  const tokens = Buffer.from(await port.arrayBuffer());
  assert.equal(http.status, 200);
  assert.deepEqual(http.body, tokens);
  assert.deepEqual(outcome.response?.tensor.data, tokens);
  await service.drain();
  assert.deepEqual([existsSync(httpSocket), existsSync(grpcSocket)], [false, false]);
  await service.close();
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.sock')),
    [],
  );
});

test('only the owner and the group may connect, unless the mode says otherwise', async (t) => {
  const first = await prepare(t);
  const usual = await first.start();
  t.after(() => usual.close());
  assert.equal(statSync(first.httpSocket).mode & 0o777, 0o660);
  const gid = process.getgid!();
  const second = await prepare(t, { socketMode: 0o600, socketOwner: { uid: undefined, gid } });
  const closed = await second.start();
  t.after(() => closed.close());
  for (const path of [second.httpSocket, second.grpcSocket]) {
    assert.deepEqual([statSync(path).mode & 0o777, statSync(path).gid], [0o600, gid]);
  }
});

test('a caller on a socket needs a key where the service has keys', async (t) => {
  const reading = readKeyList(`ada:${key}`);
  assert.ok(reading.ok);
  const { httpSocket, grpcSocket, start } = await prepare(t, { apiKeys: reading.keys });
  const service = await start();
  t.after(() => service.close());
  assert.equal((await postOver(httpSocket)).status, 401);
  assert.equal((await postOver(httpSocket, { 'x-api-key': key })).status, 200);
  const { error } = await clientOver(t, grpcSocket).call('ListModels', {});
  assert.match(error?.details ?? '', /key is required/);
});

test('a socket that a dead process left behind is replaced', async (t) => {
  const { httpSocket, start } = await prepare(t);
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script, httpSocket]);
  assert.ok(statSync(httpSocket).isSocket());
  const service = await start();
  t.after(() => service.close());
  assert.equal((await postOver(httpSocket)).status, 200);
});

test('a socket that is in use is left alone, and the service does not start', async (t) => {
  const { grpcSocket, httpSocket, start } = await prepare(t);
  const other = createServer().listen(grpcSocket);
  await once(other, 'listening');
  t.after(() => other.close());
  await assert.rejects(start(), {
    code: 'failed_precondition',
    message: `Another process listens on the socket ${grpcSocket}; choose another path with --grpc-socket.`,
  });
  assert.ok(statSync(grpcSocket).isSocket());
  assert.equal(existsSync(httpSocket), false);
});

test('a file that is no socket is never replaced', async (t) => {
  const { httpSocket, start } = await prepare(t);
  writeFileSync(httpSocket, 'precious');
  await assert.rejects(start(), {
    code: 'failed_precondition',
    message: /is not a socket; choose another path with --http-socket/,
  });
  assert.equal(statSync(httpSocket).size, 8);
});

test('a socket in a folder that does not exist is refused, and the sentence says so', async (t) => {
  const { start } = await prepare(t, { httpSocket: '/nowhere/http.sock' });
  await assert.rejects(start(), {
    code: 'failed_precondition',
    message:
      'The folder /nowhere for the socket /nowhere/http.sock does not exist; create it, or choose another path with --http-socket.',
  });
});

test('a service that stops late does not remove the socket of the one that replaced it', async (t) => {
  const { httpSocket, start } = await prepare(t, { grpcSocket: undefined });
  const first = await start();
  // As after a crash of the first's listener: the second finds nobody there.
  rmSync(httpSocket);
  const second = await start();
  t.after(() => second.close());
  await first.close();
  assert.equal((await postOver(httpSocket)).status, 200);
});
