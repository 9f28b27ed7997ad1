import { ViewBudget } from '../../src/admission/view-budget.ts';
import { Budget } from '../../src/admission/budget.ts';
import { SingleFlight } from '../../src/encoding/single-flight.ts';
import { TokenCache } from '../../src/encoding/cache/token-cache.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import { encodeImages } from '../../src/encoding/encode-request.ts';
import type { EncodingParts } from '../../src/encoding/encoding-parts.ts';
import type { Size } from '../../src/recipes/plan.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';
import { defaultTerms } from '../../src/admission/priority.ts';
import { splitTokens } from '../../src/tokens/token-tasks.ts';
import { SimulatedClock } from '../batching/clock.ts';
import { TimedEngine } from '../batching/timed-engine.ts';
import { benchModel } from '../models/bench-model.ts';

/** Callers of one endpoint who each ask again as soon as they are answered. */
export interface Callers {
  readonly recipe: RecipeOptions;
  readonly clients: number;
}

export interface MixResult {
  readonly meanBatch: number;
  readonly viewsPerSecond: number;
}

/**
 * The service's own pipeline, planner, admission and batcher on a stub engine of t(b) = 20 + 5b ms, in simulated
 * time:
 * decoding, views and assembling take none.
 */
export async function runMix(
  mix: readonly Callers[],
  image: Size,
  largest: number,
  durationMs: number,
): Promise<MixResult> {
  const clock = new SimulatedClock();
  const engine = new TimedEngine(clock);
  const batcher = new Batcher({
    engines: [{ name: 'stub', engine, times: new BatchTimes(), largest, fixed: true }],
    split: async (tokens, views) => splitTokens(tokens, views),
    now: clock.now,
  });
  const parts: EncodingParts = {
    served: [{ model: benchModel, batcher }],
    viewBudget: new ViewBudget({ maxViews: 4096, workMs: () => 1000 }),
    cache: new TokenCache(0),
    shareCache: false,
    flights: new SingleFlight(),
    answerBudget: new Budget({
      limit: Number.POSITIVE_INFINITY,
      full: () => new ServiceError('overloaded', 'unread'),
    }),
    maxAnswerBytes: Number.POSITIVE_INFINITY,
    readSize: async () => image,
    requireSize: () => undefined,
    viewPool: {
      make: async ({ plan }) => ({
        views: plan.canvases.flatMap(({ views }) => views.map(() => new Uint8Array(1))),
        decodeMs: 0,
        cutMs: 0,
      }),
      close: async () => {},
    },
    tokenPool: {
      assemble: async () => new Uint8Array(1),
      bfloat16: async (tokens) => tokens,
      join: async () => new Uint8Array(1),
    },
    now: clock.now,
  };
  const caller = async (recipe: RecipeOptions): Promise<void> => {
    while (clock.now() < durationMs) {
      await encodeImages(parts, {
        images: [{ kind: 'file', bytes: new Uint8Array() }],
        stacked: false,
        recipe,
        options: { dtype: 'float16', exif: 'apply' },
        terms: { ...defaultTerms, noStore: true },
        signal: new AbortController().signal,
      });
    }
  };
  for (const { recipe, clients } of mix) {
    for (let client = 0; client < clients; client += 1) clock.at(0, () => void caller(recipe));
  }
  await clock.run();
  return { meanBatch: engine.meanBatch, viewsPerSecond: (engine.views / clock.now()) * 1000 };
}
