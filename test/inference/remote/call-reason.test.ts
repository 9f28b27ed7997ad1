import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { freePort } from '../../../bench/processes/free-port.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { callReason } from '../../../src/inference/remote/call-reason.ts';
import { Connection } from '../../../src/inference/remote/connection.ts';
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

/** What the log has of a failed call after the server's URL, and what callers are told, after "The remote engine". */
async function reasonsOf(port: number, secure = false, host = 'localhost') {
  const connection = await Connection.open({ host, port, secure }, {});
  try {
    await connection.call('ServerLive', {}, 1000);
  } catch (error) {
    const { message, cause } = error as ServiceError;
    const logged = (cause as Error).message.replace(`${connection.url} `, '');
    return { logged, told: /^The remote engine (.*)\.$/.exec(message)?.[1] };
  } finally {
    connection.close();
  }
  return assert.fail('the call succeeds');
}

/** The reason of a failed call that the log and callers have alike. */
async function reasonOf(...server: Parameters<typeof reasonsOf>): Promise<string> {
  const { logged, told } = await reasonsOf(...server);
  assert.equal(told, logged);
  return logged;
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
  const untrusted = await reasonsOf(tls, true);
  assert.match(untrusted.logged, /^has a certificate that is not trusted: /);
  assert.equal(untrusted.told, 'has a certificate that is not trusted');
  assert.equal(await reasonOf(plain), 'does not speak the Open Inference Protocol over gRPC');
});

test("keeps a server's own words and paths of this machine from callers", async (t) => {
  const server = new GrpcServer();
  t.after(() => server.forceShutdown());
  const method = {
    path: '/inference.GRPCInferenceService/ServerLive',
    requestStream: false,
    responseStream: false,
  };
  const same = (bytes: Buffer): Buffer => bytes;
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { serverLive: { ...method, ...codec } },
    {
      serverLive: (_call: unknown, done: (error: object) => void) =>
        done({ code: status.INTERNAL, details: 'Traceback: /opt/models/secret.py' }),
    },
  );
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  assert.deepEqual(await reasonsOf(port), {
    logged: 'answered ServerLive with INTERNAL: Traceback: /opt/models/secret.py',
    told: 'answered ServerLive with INTERNAL',
  });
  const missing = Connection.open(
    { host: 'localhost', port, secure: false },
    { tokenFile: '/run/secrets/token' },
  );
  await assert.rejects(missing, {
    message: "The remote engine cannot be called with this service's credentials.",
    cause: new ServiceError(
      'invalid_argument',
      '--remote-engine-token-file /run/secrets/token cannot be read: no such file or directory.',
    ),
  });
});

const call = { method: 'ModelInfer', limitMs: 1000, secure: true };

test('does not say that a server answered when its connection was lost', () => {
  for (const [code, details] of [
    [status.CANCELLED, 'Cancelled on client'],
    [status.CANCELLED, 'Call cancelled'],
    [status.UNAVAILABLE, 'Connection dropped'],
    [status.UNAVAILABLE, 'read ECONNRESET'],
    [status.INTERNAL, 'Received RST_STREAM with code 2 (Internal server error)'],
  ] as const) {
    const lost = { reason: 'lost its connection', words: details, isLost: true };
    assert.deepEqual(callReason({ code, details }, call), lost);
  }
});

test('says what a server answered that cancels a call itself, or ends it without a status', () => {
  for (const [code, details] of [
    [status.CANCELLED, 'the model was unloaded'],
    [status.INTERNAL, 'Received RST_STREAM with code 0 (Call ended without gRPC status)'],
  ] as const) {
    assert.equal(callReason({ code, details }, call).reason, `answered ModelInfer with ${status[code]}`);
  }
});

test('a failure of any length and form gives callers one short line', () => {
  const long = `${'Traceback in /opt/models/secret.py\n'.repeat(999)}EVERYTHING is lost`;
  const alert = `80DB:error:0A000410:SSL routines:ssl3_read_bytes:handshake failure:${long}`;
  const established = (failure: string) =>
    `No connection established. Last error: Error: ${failure}. Resolution note: none`;
  for (const [details, reason, words] of [
    [established(long), 'cannot be reached', long],
    [established(alert), 'cannot be reached: handshake failure', ''],
    [long, 'answered ModelInfer with UNAVAILABLE', long],
  ] as const) {
    assert.deepEqual(callReason({ code: status.UNAVAILABLE, details }, call), { reason, words });
  }
});
