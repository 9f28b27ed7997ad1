// TLS over both transports.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { nextMessage } from '../support/grpc-client.ts';
import { StreamCaller } from '../support/stream-caller.ts';
import { scratchFolder } from '../support/tiny-models.ts';
import { tlsFixture, tlsFixturePath } from '../support/tls-fixtures.ts';
import { clientTls, grpcTls, otherServices, postOverTls, serveBoth } from './both-transports.ts';

const file = { image: { file: Buffer.from('an image') } };
const oneWay = { tlsCert: tlsFixturePath('server.pem'), tlsKey: tlsFixturePath('server.key') };
const mutual = { ...oneWay, tlsClientCa: tlsFixturePath('ca.pem') };

/** The name in the certificate that the port shows, or the code of the error that connecting ends with. */
async function greeting(port: number, options: ConnectionOptions = {}): Promise<string | undefined> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ALPNProtocols: ['h2', 'http/1.1'],
    ...clientTls(),
    ...options,
  });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().subject.CN?.toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}

test('HTTP and gRPC answer over TLS, including health checks and streams', async (t) => {
  const { http, client } = await serveBoth(t, oneWay);
  assert.equal((await postOverTls(http.port)).status, 200);
  const caller = client(undefined, undefined, grpcTls());
  assert.equal((await caller.call('Encode', file)).error, undefined);
  const stream = new StreamCaller(caller);
  stream.send('one', { encode: file });
  await stream.answer('one');
  stream.halfClose();
  const [health, proto] = otherServices.health;
  const watch = client(health, proto, grpcTls()).stream<{ status: string }>('Watch', { service: '' });
  assert.equal((await nextMessage(watch)).status, 'SERVING');
});

for (const [what, options, ends] of [
  ['TLS 1.3', { minVersion: 'TLSv1.3' }, 'server'],
  ['TLS 1.2', { maxVersion: 'TLSv1.2' }, 'server'],
  [
    'TLS 1.1',
    { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  ],
] as const) {
  test(`HTTP and gRPC handle ${what} alike`, async (t) => {
    const { ports } = await serveBoth(t, oneWay);
    for (const port of ports) assert.equal(await greeting(port, options), ends);
  });
}

for (const [name, isAccepted] of [
  ['client', true],
  ['stranger', false],
  [undefined, false],
] as const) {
  const verb = isAccepted ? 'accept' : 'refuse';
  test(`HTTP and gRPC ${verb} ${name === undefined ? 'no certificate' : `the certificate of the ${name}`} where clients need one`, async (t) => {
    const { http, client, encoder } = await serveBoth(t, mutual);
    const overHttp = await postOverTls(http.port, name).then(
      (answer) => answer.status,
      () => 'refused',
    );
    assert.equal(overHttp, isAccepted ? 200 : 'refused');
    const { error } = await client(undefined, undefined, grpcTls(name)).call('Encode', file);
    assert.equal(error?.code, isAccepted ? undefined : status.UNAVAILABLE);
    assert.equal(encoder.requests.length, isAccepted ? 2 : 0);
  });
}

test('plaintext gets no answer, and counts and logs no request', async (t) => {
  const { ports, lines, metrics } = await serveBoth(t, oneWay);
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'close');
    assert.doesNotMatch(received, /HTTP/);
  }
  assert.doesNotMatch((await metrics.expose()).text, /requests_total\{/);
  assert.deepEqual(
    lines.map(({ message }) => message),
    [
      'there are no API keys: everyone who can reach the service may use it',
      'the TLS certificate is in use',
      'handshake failed',
    ],
  );
});

test('closes connections that do not finish their handshake in time', async (t) => {
  const { ports } = await serveBoth(t, oneWay, 50);
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.resume();
    await once(socket, 'close');
  }
});

test('closing does not wait for a handshake', async (t) => {
  const { http, grpc } = await serveBoth(t, oneWay, 3_600_000);
  const idle = connect(http.port, '127.0.0.1').on('error', () => {});
  idle.resume();
  await once(idle, 'connect');
  // The server has accepted both when it answers a later one.
  await postOverTls(http.port);
  await http.close();
  await grpc.close();
});

/** Both transports over files that a test can change. */
async function serveCopies(t: TestContext) {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const path = (name: string): string => join(scratch.path, name);
  const put = (name: string, to: string): void => copyFileSync(tlsFixturePath(name), path(to));
  put('server.pem', 'cert');
  put('server.key', 'key');
  put('ca.pem', 'ca');
  const config = { tlsCert: path('cert'), tlsKey: path('key') };
  return { config, path, put, both: await serveBoth(t, config) };
}

test('shows a renewed certificate to new connections and leaves the old ones alone', async (t) => {
  const { both, put } = await serveCopies(t);
  const { ports, http, client, look, lines } = both;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const sockets: TLSSocket[] = [];
  const ask = async (): Promise<void> => {
    const options = { host: '127.0.0.1', port: http.port, path: '/healthz', agent, ...clientTls() };
    const request = httpsRequest(options).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    sockets.push(response.socket as TLSSocket);
    await once(response.resume(), 'end');
    await new Promise((resolve) => setImmediate(resolve));
  };
  const caller = client(undefined, undefined, grpcTls());
  const stream = new StreamCaller(caller);
  await ask();
  stream.send('before', { encode: file });
  await stream.answer('before');

  put('renewed.pem', 'cert');
  await look();
  put('renewed.key', 'key');
  await look(2);
  for (const port of ports) assert.equal(await greeting(port), 'renewed');
  await ask();
  assert.equal(sockets[0], sockets[1]);
  stream.send('after', { encode: file });
  await stream.answer('after');
  assert.ok(lines.every(({ level }) => level !== 'error'));
  assert.ok(lines.some(({ message }) => message === 'the TLS files have been reloaded'));
});

test('keeps the old certificate, and logs it, while the new one is invalid', async (t) => {
  const { both, put, path } = await serveCopies(t);
  const { ports, look, lines } = both;
  for (const [spoil, detail] of [
    [() => put('garbage.pem', 'cert'), '--tls-cert is not a PEM certificate.'],
    [() => put('renewed.pem', 'cert'), '--tls-key does not belong to --tls-cert.'],
    [() => writeFileSync(path('key'), ''), '--tls-key must be a PEM private key without a passphrase.'],
  ] as const) {
    spoil();
    await look(3);
    assert.equal(lines.at(-1)!.level, 'error');
    assert.equal(lines.at(-1)!.fields['detail'], detail);
    for (const port of ports) assert.equal(await greeting(port), 'server');
  }
  put('renewed.key', 'key');
  await look(2);
  for (const port of ports) assert.equal(await greeting(port), 'renewed');
});

test('accepts the clients of a new client CA, and no longer those of the old one', async (t) => {
  const { config, put, path } = await serveCopies(t);
  const { http, client, look } = await serveBoth(t, { ...config, tlsClientCa: path('ca') });
  const outcomes = async () => {
    const accepted: string[] = [];
    for (const name of ['client', 'stranger']) {
      const overHttp = await postOverTls(http.port, name).then(
        () => true,
        () => false,
      );
      const { error } = await client(undefined, undefined, grpcTls(name)).call('Encode', file);
      assert.equal(error === undefined, overHttp);
      if (overHttp) accepted.push(name);
    }
    return accepted;
  };
  assert.deepEqual(await outcomes(), ['client']);
  put('other-ca.pem', 'ca');
  await look(2);
  assert.deepEqual(await outcomes(), ['stranger']);
  writeFileSync(path('ca'), Buffer.concat([tlsFixture('ca.pem'), tlsFixture('other-ca.pem')]));
  await look(2);
  assert.deepEqual(await outcomes(), ['client', 'stranger']);
});
