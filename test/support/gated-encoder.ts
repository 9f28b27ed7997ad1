import { ViewBudget } from '../../src/admission/view-budget.ts';
import { Budget } from '../../src/admission/budget.ts';
import type { Caller } from '../../src/admission/caller.ts';
import { SingleFlight } from '../../src/encoding/single-flight.ts';
import { TokenCache } from '../../src/encoding/cache/token-cache.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { RemoteCache } from '../../src/encoding/cache/remote-cache.ts';
import type { EncodedImage } from '../../src/encoding/encoded-image.ts';
import { sizeLimit, sizeReader } from '../../src/image/read-size.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { Model } from '../../src/model/model.ts';
import { encodeEach, encodeImages } from '../../src/encoding/encode-request.ts';
import type { EncodingParts } from '../../src/encoding/encoding-parts.ts';
import { planAnswer, validateRequest } from '../../src/encoding/plan-request.ts';
import type { VisualEncoder } from '../../src/encoding/request.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';
import { GatedEngine } from './gated-engine.ts';
import { stubModel } from './stub-model.ts';

/** A model with one token of two channels: the gated engine's four bytes are a view's float16 tokens. */
export const gatedModel: Model = {
  ...stubModel,
  name: 'gated',
  imageSize: 8,
  patchSize: 8,
  grid: { width: 1, height: 1 },
  channels: 2,
  layers: 1,
};

/** The same tower for views of twice the side. */
export const largerModel: Model = {
  ...gatedModel,
  name: 'larger',
  imageSize: 16,
  grid: { width: 2, height: 2 },
};

interface GatedOptions {
  readonly largest?: number;
  readonly maxViews?: number;
  readonly cacheBytes?: number;
  readonly maxUnreadBytes?: number;
  readonly maxAnswerBytes?: number;
  readonly remoteCache?: RemoteCache;
  readonly shareCache?: boolean;
  readonly callers?: () => readonly Caller[];
}

/** A real encoder over two models whose engines wait at gates. */
export function gatedEncoder({
  largest = 8,
  maxViews = 64,
  cacheBytes = 0,
  maxUnreadBytes = 2 ** 30,
  maxAnswerBytes = 1_000_000,
  remoteCache,
  shareCache = false,
  callers,
}: GatedOptions = {}) {
  const tokenPool = new TokenPool(1);
  const viewPool = createViewPool({ threads: 1, images: 4, maxPixels: 1_000_000 });
  let passedMs = 0;
  const now = () => performance.now() + passedMs;
  const passMs = (ms: number) => {
    passedMs += ms;
  };
  const gated = () => {
    const engine = new GatedEngine();
    const split = (tokens: Uint8Array<ArrayBuffer>, views: number) => tokenPool.split(tokens, views);
    const times = new BatchTimes();
    return {
      engine,
      times,
      batcher: new Batcher({ engines: [{ name: 'gated', engine, times, largest, fixed: true }], split, now }),
    };
  };
  const { engine, times, batcher } = gated();
  const larger = gated();
  const cache = new TokenCache(cacheBytes);
  const answerBudget = new Budget({
    limit: maxUnreadBytes,
    full: () => new ServiceError('overloaded', 'unread'),
  });
  const viewBudget = new ViewBudget({ maxViews, workMs: () => 1500, callers });
  const requireSize = sizeLimit(1_000_000);
  const parts: EncodingParts = {
    served: [
      { model: gatedModel, batcher },
      { model: largerModel, batcher: larger.batcher },
    ],
    viewBudget,
    cache,
    remoteCache,
    shareCache,
    flights: new SingleFlight<EncodedImage>(),
    answerBudget,
    maxAnswerBytes,
    readSize: sizeReader(requireSize),
    requireSize,
    viewPool,
    tokenPool,
    now,
  };
  const encoder: VisualEncoder = {
    encode: (request) => encodeImages(parts, request),
    encodeEach: (request) => encodeEach(parts, request),
    plan: (request) => planAnswer(parts, request),
    validate: (request) => validateRequest(parts, request),
    models: () => [gatedModel, largerModel],
    engines: () => ({ up: 1, total: 1 }),
    ready: () => true,
    outages: () => [],
  };
  const close = async () => {
    await Promise.all([viewPool.close(), tokenPool.close()]);
  };
  return { engine, times, batcher, larger, viewBudget, cache, encoder, now, passMs, close };
}
