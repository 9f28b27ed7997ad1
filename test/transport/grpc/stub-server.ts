import { EventEmitter } from 'node:events';
import type { TestContext } from 'node:test';
import type { ClientOptions } from '@grpc/grpc-js';
import type { AdmitBytes } from '../../../src/admission/byte-budget.ts';
import { defaultGrpcLimits, type GrpcLimits } from '../../../src/transport/grpc/limits.ts';
import type { ObservedRequest } from '../../../src/transport/grpc/request-watch.ts';
import { startGrpcServer } from '../../../src/transport/grpc/server.ts';
import { TestClient } from '../../support/grpc-client.ts';
import type { StubEncoder } from '../../support/stub-encoder.ts';

export const service = 'siglip_hd.v1.VisualEncoderService';
export const file = { image: { file: Buffer.from('an image') } };

/** A server over a stub, and clients of it, which end with the test; what it logs and observes is kept. */
export async function serve(
  t: TestContext,
  encoder: StubEncoder,
  limits: Partial<GrpcLimits> = {},
  admitMessage?: AdmitBytes,
) {
  const observed: ObservedRequest[] = [];
  const observations = new EventEmitter();
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: { ...fields }, message });
  const server = await startGrpcServer({
    encoder,
    host: '127.0.0.1',
    port: 0,
    ...(admitMessage === undefined ? {} : { admitMessage }),
    limits: { ...defaultGrpcLimits, healthPollMs: 5, ...limits },
    logger: { debug: log('debug'), info: log('info'), error: log('error') },
    observe: (request) => {
      observed.push(request);
      observations.emit('request', request);
    },
  });
  const clients: TestClient[] = [];
  const client = (name: string, protoFile?: string, options?: ClientOptions): TestClient => {
    const made = new TestClient(server.port, name, protoFile, options);
    clients.push(made);
    return made;
  };
  t.after(async () => {
    for (const made of clients) made.close();
    await server.close();
  });
  return { server, observed, observations, lines, client };
}
