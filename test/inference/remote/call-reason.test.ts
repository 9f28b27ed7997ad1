import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { ServiceError } from '../../../src/errors/service-error.ts';
import { Connection } from '../../../src/inference/remote/connection.ts';
import { freePort } from '../../support/service-process.ts';
import { tlsFixture } from '../../support/tls-fixtures.ts';

const open = async (t: TestContext, server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

async function openGrpc(t: TestContext, credentials: ServerCredentials): Promise<number> {
  const server = new GrpcServer();
  t.after(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** What a failed call says after the server's URL. */
async function reasonOf(port: number, secure = false, host = 'localhost'): Promise<string> {
  const connection = await Connection.open({ host, port, secure }, {});
  try {
    await connection.call('ServerLive', {}, 1000);
  } catch (error) {
    const { message } = (error as ServiceError).cause as Error;
    return message.replace(`${connection.url} `, '');
  } finally {
    connection.close();
  }
  return assert.fail('the call succeeds');
}

test('says in words why a server cannot be used', async (t) => {
  const http = await open(t, createHttpServer());
  const silent = await open(t, createServer());
  const plain = await openGrpc(t, ServerCredentials.createInsecure());
  const pair = { private_key: tlsFixture('server.key'), cert_chain: tlsFixture('server.pem') };
  const tls = await openGrpc(t, ServerCredentials.createSsl(null, [pair]));
  assert.equal(await reasonOf(await freePort()), 'cannot be reached: connection refused');
  assert.equal(await reasonOf(1, false, 'no.such.host.invalid'), 'cannot be reached: no such host');
  const notGrpc = "does not speak gRPC; Triton's gRPC port is 8001, its HTTP port 8000";
  assert.equal(await reasonOf(http), notGrpc);
  assert.equal(await reasonOf(silent), 'did not answer ServerLive within 1 s');
  assert.equal(await reasonOf(plain, true), 'does not speak TLS; use grpc:// for it');
  assert.equal(await reasonOf(tls), 'closes every connection; if it speaks TLS, use grpcs:// for it');
  assert.match(await reasonOf(tls, true), /^has a certificate that is not trusted: /);
  assert.equal(await reasonOf(plain), 'does not speak the Open Inference Protocol over gRPC');
});
