import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import { text } from 'node:stream/consumers';
import { type ChannelCredentials, credentials as channelCredentials } from '@grpc/grpc-js';
import { defaultGrpcLimits } from '../../src/transport/grpc/limits.ts';
import { type GrpcServer, startGrpcServer } from '../../src/transport/grpc/server.ts';
import { type HttpServer, startHttpServer } from '../../src/transport/http/server.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { Access, type AccessConfig } from '../../src/transport/security/access.ts';
import { TestClient } from '../support/grpc-client.ts';
import { handTicker, keptLog } from '../support/hand-ticker.ts';
import { StubEncoder } from '../support/stub-encoder.ts';
import { tlsFixture } from '../support/tls-fixtures.ts';

export const service = 'siglip_hd.v1.VisualEncoderService';
const resolvePath = createRequire(import.meta.url).resolve;
/** Services beside ours, and their proto files. */
export const otherServices = {
  health: ['grpc.health.v1.Health', resolvePath('grpc-health-check/proto/health/v1/health.proto')],
  reflection: [
    'grpc.reflection.v1.ServerReflection',
    resolvePath('@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'),
  ],
} as const;

/** HTTP and gRPC over one stub and one access, whose files are looked at by hand; they end with the test. */
export async function serveBoth(t: TestContext, config: AccessConfig, handshakeMs = 10_000) {
  const encoder = new StubEncoder();
  const metrics = new Metrics();
  const { logger, lines } = keptLog();
  const { ticker, look } = handTicker();
  const access = await Access.open(config, logger, ticker);
  const { authenticate, tls } = access;
  const common = { encoder, logger, host: '127.0.0.1', port: 0, authenticate, tls };
  const http: HttpServer = await startHttpServer({
    ...common,
    metrics,
    readPixels: () => undefined,
    limits: { handshakeMs, lingerMs: 50 },
  });
  const grpc: GrpcServer = await startGrpcServer({
    ...common,
    metrics,
    limits: { ...defaultGrpcLimits, handshakeMs },
  });
  const clients: TestClient[] = [];
  const client = (name: string = service, protoFile?: string, credentials?: ChannelCredentials) => {
    const made = new TestClient(grpc.port, name, protoFile, undefined, credentials);
    clients.push(made);
    return made;
  };
  t.after(async () => {
    for (const made of clients) made.close();
    await Promise.all([http.close(), grpc.close()]);
    access.close();
  });
  const ports = [http.port, grpc.port] as const;
  return { encoder, metrics, lines, look, http, grpc, ports, client, url: `http://127.0.0.1:${http.port}` };
}

/** A client's certificate, by its name in test/fixtures/tls. */
function shown(name: string | undefined) {
  return name === undefined ? {} : { cert: tlsFixture(`${name}.pem`), key: tlsFixture(`${name}.key`) };
}

/** What a client that trusts the fixtures' CA, and shows a certificate where it has one, connects with. */
export function clientTls(name?: string) {
  return { ca: tlsFixture('ca.pem'), ...shown(name) };
}

/** The same for gRPC. */
export function grpcTls(name?: string): ChannelCredentials {
  const { cert, key } = shown(name);
  return channelCredentials.createSsl(tlsFixture('ca.pem'), key ?? null, cert ?? null);
}

/** A POST of an image over TLS. */
export async function postOverTls(port: number, name?: string): Promise<{ status: number; body: string }> {
  const options = { host: '127.0.0.1', port, path: '/v1/encode', method: 'POST', agent: false };
  const request = httpsRequest({ ...options, ...clientTls(name) });
  const answered = once(request, 'response');
  request.end('an image');
  const [response] = (await answered) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}
