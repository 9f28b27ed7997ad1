// The service's own transports and pipeline over a stub engine, which answers at once and always the same buffer.
// With the argument `stub-pixels` decoding and the view pool are stubs as well; with `cache` tokens are kept; with
// `small-answers` they have 16 channels; with `no-metrics` nothing is counted. It traces as the environment asks
// for it.
import { ViewBudget } from '../../src/admission/view-budget.ts';
import { startDeadline } from '../../src/encoding/deadline.ts';
import { Budget } from '../../src/admission/budget.ts';
import { SingleFlight } from '../../src/encoding/single-flight.ts';
import { TokenCache } from '../../src/encoding/cache/token-cache.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { sizeLimit, sizeReader } from '../../src/image/read-size.ts';
import { freeBuffers } from '../../src/threads/transfer.ts';
import { isNpy, readNpyRasters } from '../../src/image/npy-raster.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { Engine } from '../../src/inference/engine.ts';
import { defaultGrpcLimits } from '../../src/transport/grpc/limits.ts';
import { startGrpcServer } from '../../src/transport/grpc/server.ts';
import { startHttpServer } from '../../src/transport/http/server.ts';
import { SharedInput } from '../../src/inference/shared-input.ts';
import { setFlagsFromString } from 'node:v8';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { encodeEach, encodeImages } from '../../src/encoding/encode-request.ts';
import type { EncodingParts } from '../../src/encoding/encoding-parts.ts';
import { planAnswer, validateRequest } from '../../src/encoding/plan-request.ts';
import type { VisualEncoder } from '../../src/encoding/request.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';
import { openTracing } from '../../src/telemetry/open-tracing.ts';
import { traceBatch } from '../../src/inference/trace-batch.ts';
import { benchModel } from '../models/bench-model.ts';
import { reply } from '../processes/children.ts';
import { answerTokens, type Listening, shape } from './answer.ts';
import { NoMetrics } from './no-metrics.ts';

const stubPixels = process.argv.includes('stub-pixels');
const channels = process.argv.includes('small-answers') ? 16 : shape[1];
const tokens = answerTokens(channels);

const model = { ...benchModel, name: 'stub', channels };

const pixels = new SharedInput();
const engine: Engine = {
  encode: (views) =>
    new Promise((resolve) => {
      // As the real engine does, whose thread gets a copy.
      const laid = stubPixels ? undefined : pixels.copyIn(views);
      setImmediate(() => {
        if (laid !== undefined) {
          pixels.release(laid);
          freeBuffers(views);
        }
        const answer = new Uint8Array(tokens.buffer);
        resolve({ tokens: { float16: answer }, finite: { float16: views.map(() => true) }, engineMs: 0 });
      });
    }),
  close: () => Promise.resolve(),
};

// As src/main.ts does.
setFlagsFromString('--heap-growing-percent=400');
const metrics = process.argv.includes('no-metrics') ? new NoMetrics() : new Metrics();
const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, process.stdout);
const tracing = await openTracing(process.env, 'bench', logger);
const tokenPool = new TokenPool(1);
const batcher = new Batcher({
  engines: [{ name: 'stub', engine, times: new BatchTimes(), largest: 1, fixed: true }],
  split: (batch, views) => tokenPool.split(batch, views),
  now: () => performance.now(),
  observe: (batch) => {
    metrics.observeBatch({ model: model.name, ...batch });
    traceBatch(model.name, batch);
  },
});
const view = new Uint8Array(model.imageSize ** 2 * 3);
const requireSize = sizeLimit(1e8);
const parts: EncodingParts = {
  served: [{ model, batcher }],
  viewBudget: new ViewBudget({ maxViews: 512, workMs: () => 1000 }),
  cache: new TokenCache(process.argv.includes('cache') ? 2 ** 28 : 0),
  shareCache: false,
  flights: new SingleFlight(),
  answerBudget: new Budget({
    limit: Number.POSITIVE_INFINITY,
    full: () => new ServiceError('overloaded', 'unread'),
  }),
  maxAnswerBytes: 1e9,
  readSize: stubPixels ? () => Promise.resolve({ width: 97, height: 640 }) : sizeReader(requireSize),
  requireSize,
  viewPool: stubPixels
    ? {
        make: () => Promise.resolve({ views: [view], decodeMs: 0, cutMs: 0 }),
        close: () => Promise.resolve(),
      }
    : createViewPool({ threads: 1, images: 2, maxPixels: 1e8 }),
  tokenPool,
  now: () => performance.now(),
};

const encoder: VisualEncoder = {
  encode: async (request) => {
    const { signal, end } = startDeadline(request.signal, 60_000);
    const answer = await encodeImages(parts, { ...request, signal }).finally(end);
    for (const source of answer.sources) metrics.observeSource(source);
    if (answer.sources.includes('miss')) metrics.observeStages(answer.timings, answer.metadata.model.name);
    return answer;
  },
  encodeEach: (request) => encodeEach(parts, request),
  plan: (request) => planAnswer(parts, request),
  validate: (request) => validateRequest(parts, request),
  models: () => [model],
  engines: () => ({ up: 1, total: 1 }),
  ready: () => true,
  outages: () => [],
};
const host = '127.0.0.1';
const limits = { maxImages: 16, maxPixels: 1e8 };
const readPixels = (bytes: Uint8Array) => (isNpy(bytes) ? readNpyRasters(bytes, limits) : undefined);
const http = await startHttpServer({ encoder, metrics, logger, host, port: 0, readPixels, tracer: tracing });
const grpc = await startGrpcServer({
  encoder,
  metrics,
  logger,
  tracer: tracing,
  host,
  port: 0,
  limits: defaultGrpcLimits,
});
reply({ httpPort: http.port, grpcPort: grpc.port } satisfies Listening);
