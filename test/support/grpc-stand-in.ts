import type { TestContext } from 'node:test';
import { defaultGrpcLimits } from '../../src/transport/grpc/limits.ts';
import { startGrpcServer } from '../../src/transport/grpc/server.ts';
import { StubEncoder } from './stub-encoder.ts';

/** HOST:PORT of the gRPC server under test: SIGLIPHD_GRPC, or a server over a stub that ends with the test. */
export async function grpcAddress(t: TestContext): Promise<string> {
  const given = process.env.SIGLIPHD_GRPC;
  if (given !== undefined) return given;
  const silent = { info() {}, debug() {}, error() {} };
  const server = await startGrpcServer({
    encoder: new StubEncoder({ channels: 1152 }),
    host: '127.0.0.1',
    port: 0,
    limits: defaultGrpcLimits,
    logger: silent,
    metrics: { observeRequest: () => undefined },
  });
  t.after(() => server.close());
  return `127.0.0.1:${server.port}`;
}
