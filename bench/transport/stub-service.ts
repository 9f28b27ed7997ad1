// The service's own transports and pipeline over a stub engine, which answers at once and always the same buffer.
// With the argument `stub-pixels` decoding and the view pool are stubs as well.
import pino from 'pino';
import { Admission } from '../../src/admission.ts';
import { withDeadline } from '../../src/deadline.ts';
import { type ImageReader, imageReader } from '../../src/image-reader.ts';
import { isNpy, readNpyRasters } from '../../src/image/npy-raster.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import { BatchTimes } from '../../src/inference/batch-policy.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { Engine } from '../../src/inference/engine.ts';
import { defaultGrpcLimits } from '../../src/grpc/limits.ts';
import { startGrpcServer } from '../../src/grpc/server.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { Metrics } from '../../src/metrics.ts';
import type { Model } from '../../src/model/model.ts';
import { encodeImages, type PipelineParts, planAnswer } from '../../src/pipeline.ts';
import type { VisualEncoder } from '../../src/request.ts';
import { Semaphore } from '../../src/semaphore.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';
import { reply } from '../children.ts';
import { answerTokens, type Listening, shape } from './answer.ts';

const stubPixels = process.argv.includes('stub-pixels');
const tokens = answerTokens(shape[1]);

const model: Model = {
  name: 'stub',
  folder: '/nonexistent',
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: shape[1],
  layers: 27,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
};

const engine: Engine = {
  encode: (views) =>
    new Promise((resolve) => {
      setImmediate(() => {
        const answer = new Uint8Array(tokens.buffer);
        resolve({ tokens: { float16: answer }, finite: { float16: views.map(() => true) }, engineMs: 0 });
      });
    }),
  close: () => Promise.resolve(),
};

const metrics = new Metrics();
const tokenPool = new TokenPool(1);
const batcher = new Batcher({
  engine,
  times: new BatchTimes(),
  largest: 1,
  fixed: true,
  split: (batch, views) => tokenPool.split(batch, views),
  now: () => performance.now(),
  observe: ({ views, engineMs }) => metrics.observeBatch({ model: model.name, views, engineMs }),
});
const raster = { width: 97, height: 640, data: new Uint8Array(97 * 640 * 3) };
const stubImages: ImageReader = {
  readSize: () => Promise.resolve(raster),
  decode: () => Promise.resolve(raster),
};
const view = new Uint8Array(model.imageSize ** 2 * 3);
const parts: PipelineParts = {
  served: [{ model, batcher }],
  admission: new Admission({ maxViews: 512, retryAfterMs: () => 1000 }),
  maxAnswerBytes: 1e9,
  rasters: new Semaphore(2),
  images: stubPixels ? stubImages : imageReader(1e8),
  viewPool: stubPixels
    ? { cut: () => Promise.resolve([view]), close: () => Promise.resolve() }
    : createViewPool({ threads: 1 }),
  tokenPool,
  now: () => performance.now(),
};

const encoder: VisualEncoder = {
  encode: (request) =>
    withDeadline(request.signal, 60_000, (signal) => encodeImages(parts, { ...request, signal })),
  plan: (request) => planAnswer(parts, request),
  models: () => [model],
  ready: () => true,
};
const logger = pino({ level: 'info' });
const host = '127.0.0.1';
const limits = { maxImages: 16, maxPixels: 1e8 };
const readPixels = (bytes: Uint8Array) => (isNpy(bytes) ? readNpyRasters(bytes, limits) : undefined);
const http = await startHttpServer({ encoder, metrics, logger, host, port: 0, readPixels });
const grpc = await startGrpcServer({
  encoder,
  observe: (request) => metrics.observeRequest(request),
  logger,
  host,
  port: 0,
  limits: defaultGrpcLimits,
});
reply({ httpPort: http.port, grpcPort: grpc.port } satisfies Listening);
