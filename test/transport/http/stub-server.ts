import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { pino } from 'pino';
import type { FastifyInstance } from 'fastify';
import {
  createHttpApp,
  type HttpAppOptions,
  startHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from '../../../src/transport/http/server.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import type { Model } from '../../../src/model/model.ts';
import type { AnyresGeometry } from '../../../src/recipes/plan.ts';
import type { EncodeAnswer, EncodeRequest, PlanAnswer, PlanRequest } from '../../../src/encoding/request.ts';
import { dtypeBytes } from '../../../src/tokens/tensor.ts';
import { madeUp } from '../../support/answer-origin.ts';
import { StubEncoder } from '../../support/stub-encoder.ts';
import { stubModel } from '../../support/stub-model.ts';
import { until } from '../../support/until.ts';

const model: Model = {
  ...stubModel,
  imageSize: 8,
  patchSize: 4,
  grid: { width: 2, height: 2 },
  channels: 3,
  layers: 1,
};

/** The bytes that the stub answers with: they count up, so that a slip of one shows. */
export function stubTokens(request: EncodeRequest): EncodeAnswer {
  const { dtype } = request.options;
  const perImage = [4, model.channels];
  const parts = request.images.map((_image, index) =>
    Uint8Array.from({ length: 12 * dtypeBytes[dtype] }, (_, i) => (7 * i + 31 * index) % 251),
  );
  const shape = request.stacked ? [parts.length, ...perImage] : perImage;
  return {
    tensor: { shape, dtype, parts },
    metadata: {
      model: { name: model.name, digest: model.digest, trained: false },
      recipe: request.recipe.recipe,
      output: request.options.output ?? 'features',
      features: model.features,
      precision: model.precision,
      dtype,
      shape,
      grid: model.grid,
      views: 1,
      ...(request.recipe.recipe === 'anyres' ? { anyres: stubAnyres } : {}),
      images: request.images.map(() => ({ width: 640, height: 480 })),
    },
    timings: { decodeMs: 1, viewsMs: 2, queueMs: 3, engineMs: 4 },
    ...madeUp,
  };
}

/** Where the stub's anyres tokens lie. */
export const stubAnyres: AnyresGeometry = {
  tileGrid: { columns: 2, rows: 1 },
  baseTokens: 4,
  unpad: { x: 0, y: 1, width: 4, height: 0 },
  spatial: { width: 3, height: 0 },
  newlines: 0,
  resized: true,
};

/** What an image of the size is answered with: its metadata is that of {@link stubTokens}, but for the size. */
export function stubPlan({ size, recipe, options }: PlanRequest): PlanAnswer {
  const { metadata } = stubTokens({
    images: [{ kind: 'file', bytes: new Uint8Array(1) }],
    stacked: false,
    recipe,
    options,
    signal: AbortSignal.any([]),
  });
  return { metadata: { ...metadata, images: [size] }, tokens: 4, sizeBytes: 12 * dtypeBytes[options.dtype] };
}

/** An encoder of one small model that answers {@link stubTokens} and {@link stubPlan}. */
function stubEncoder(): StubEncoder {
  const encoder = new StubEncoder(model);
  encoder.served = [model];
  encoder.answer = stubTokens;
  encoder.planned = stubPlan;
  return encoder;
}

export interface StubServer {
  readonly server: HttpServer;
  readonly encoder: StubEncoder;
  readonly metrics: Metrics;
  readonly url: string;
}

/** A server on a free port over a stub encoder, closed after the test file. */
export async function startStubServer(options: Partial<HttpServerOptions> = {}): Promise<StubServer> {
  const encoder = stubEncoder();
  const metrics = new Metrics();
  const server = await startHttpServer({
    encoder,
    metrics,
    logger: pino({ level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    readPixels: () => undefined,
    ...options,
  });
  metrics.watchInflight('http', () => server.underWay);
  after(() => server.close());
  return { server, encoder, metrics, url: `http://127.0.0.1:${server.port}` };
}

export interface StubApp {
  readonly app: FastifyInstance;
  readonly encoder: StubEncoder;
  readonly metrics: Metrics;
  /** `fetch` of a path, without a socket. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
}

/** What answers requests, over a stub encoder and without a port. */
export async function openStubApp(options: Partial<HttpAppOptions> = {}): Promise<StubApp> {
  const encoder = stubEncoder();
  const metrics = new Metrics();
  const logger = pino({ level: 'silent' });
  const parts = { encoder, metrics, logger, readPixels: () => undefined, ...options };
  const { app, requests } = await createHttpApp(parts);
  metrics.watchInflight('http', () => requests.underWay);
  after(() => app.close());
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const request = new Request(`http://stub${path}`, init);
    const answer = await app.inject({
      method: request.method as 'GET',
      url: path,
      headers: Object.fromEntries(request.headers),
      payload: Buffer.from(await request.arrayBuffer()),
    });
    const body = answer.rawPayload.byteLength === 0 ? null : new Uint8Array(answer.rawPayload);
    return new Response(body, {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string>,
    });
  };
  return { app, encoder, metrics, ask };
}

/**
 * Sends the packets on a fresh connection, and gives everything that came back until the connection closed. After a whole
 * request the next packet waits for the answer, and otherwise until the server, which is in this process, has read it all.
 */
export async function rawExchange(port: number, ...packets: readonly (string | Buffer)[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const accepted: Socket[] = [];
    const accept = (message: unknown) => accepted.push((message as { socket: Socket }).socket);
    subscribe('net.server.socket', accept);
    const isRead = () =>
      accepted.some(
        ({ remotePort, bytesRead }) => remotePort === socket.localPort && bytesRead === socket.bytesWritten,
      );
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('close', () => {
      unsubscribe('net.server.socket', accept);
      resolve(received);
    });
    socket.on('error', reject);
    const send = async (): Promise<void> => {
      for (const [index, packet] of packets.entries()) {
        socket.write(packet);
        if (index === packets.length - 1) return;
        await (packet.toString().endsWith('\r\n\r\n') ? once(socket, 'data') : until(isRead));
      }
    };
    send().catch(reject);
  });
}
