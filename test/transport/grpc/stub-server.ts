import { EventEmitter } from 'node:events';
import type { TestContext } from 'node:test';
import type { ClientOptions } from '@grpc/grpc-js';
import { Budget } from '../../../src/admission/budget.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import type { Metrics } from '../../../src/telemetry/metrics.ts';
import { defaultGrpcLimits, type GrpcLimits } from '../../../src/transport/grpc/limits.ts';
import { type GrpcServerOptions, startGrpcServer } from '../../../src/transport/grpc/server.ts';
import { TestClient } from '../../support/grpc-client.ts';
import type { StubEncoder } from '../../support/stub-encoder.ts';

export const service = 'siglip_hd.v1.VisualEncoderService';
export const file = { image: { file: Buffer.from('an image') } };

/** One finished request, as metrics observe it. */
export type ObservedRequest = Parameters<Metrics['observeRequest']>[0];

/** A budget of so many bytes, or calls, whose refusals say when to try again. */
export function budgetOf(limit: number, retryAfterMs = 70): Budget {
  return new Budget({ limit, full: () => new ServiceError('overloaded', 'No room.', { retryAfterMs }) });
}

/** A server over a stub, and clients of it, which end with the test; what it logs and observes is kept. */
export async function serve(
  t: TestContext,
  encoder: StubEncoder,
  limits: Partial<GrpcLimits> = {},
  options: Partial<GrpcServerOptions> = {},
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
    limits: { ...defaultGrpcLimits, healthPollMs: 5, drainLingerMs: 50, ...limits },
    logger: { debug: log('debug'), info: log('info'), error: log('error') },
    metrics: {
      observeRequest: (request) => {
        observed.push(request);
        observations.emit('request', request);
      },
    },
    ...options,
  });
  const clients: TestClient[] = [];
  const client = (name: string, protoFile?: string, clientOptions?: ClientOptions): TestClient => {
    const made = new TestClient(server.port, name, protoFile, clientOptions);
    clients.push(made);
    return made;
  };
  t.after(async () => {
    for (const made of clients) made.close();
    await server.close();
  });
  return { server, observed, observations, lines, client };
}
