import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { KeyRing } from '../../src/transport/security/authenticate.ts';
import { TlsIdentity } from '../../src/transport/security/tls-identity.ts';
import { defaultGrpcLimits } from '../../src/transport/grpc/limits.ts';
import { type GrpcServerOptions, startGrpcServer } from '../../src/transport/grpc/server.ts';
import { StubEncoder } from './stub-encoder.ts';
import { tlsFixture } from './tls-fixtures.ts';

/** HOST:PORT of the gRPC server under test: SIGLIPHD_GRPC, or a server over a stub that ends with the test. */
export async function grpcAddress(t: TestContext): Promise<string> {
  const given = process.env.SIGLIPHD_GRPC;
  return given ?? (await standIn(t));
}

/** HOST:PORT of a server over a stub that speaks TLS, with test/fixtures/tls/server.pem, and asks for this key. */
export async function guardedGrpcAddress(t: TestContext, key: string): Promise<string> {
  const tls = new TlsIdentity({ requiresClientCertificate: false });
  tls.renew([tlsFixture('server.pem'), tlsFixture('server.key')]);
  const reading = readKeyList(`ada:${key}`);
  assert.ok(reading.ok);
  return await standIn(t, { tls, authenticate: new KeyRing(reading.keys).authenticate });
}

async function standIn(
  t: TestContext,
  guard: Pick<GrpcServerOptions, 'tls' | 'authenticate'> = {},
): Promise<string> {
  const silent = { info() {}, debug() {}, error() {} };
  const server = await startGrpcServer({
    encoder: new StubEncoder({ channels: 1152 }),
    host: '127.0.0.1',
    port: 0,
    limits: defaultGrpcLimits,
    logger: silent,
    metrics: { observeRequest: () => undefined },
    ...guard,
  });
  t.after(() => server.close());
  return `127.0.0.1:${server.port}`;
}
