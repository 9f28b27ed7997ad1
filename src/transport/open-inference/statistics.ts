import type { EncodeAnswer } from '../../encoding/request.ts';
import type { ModelStatistics } from '../../open-inference/generated/ModelStatistics.ts';
import { modelVersion } from './infer-request.ts';

/** How often something happened, and for how long in all. */
class Duration {
  count = 0;
  ns = 0;

  add(durationMs: number): void {
    this.count++;
    this.ns += Math.round(durationMs * 1e6);
  }

  get total(): { readonly count: number; readonly ns: number } {
    return { count: this.count, ns: this.ns };
  }
}

/** What came of the infer requests to one model. */
export class InferStatistics {
  readonly #success = new Duration();
  readonly #fail = new Duration();
  readonly #queue = new Duration();
  readonly #computeInput = new Duration();
  readonly #computeInfer = new Duration();
  readonly #computeOutput = new Duration();
  readonly #cacheHit = new Duration();
  readonly #cacheMiss = new Duration();
  #lastMs = 0;
  #images = 0;
  #executions = 0;

  succeed({ timings, sources }: Pick<EncodeAnswer, 'timings' | 'sources'>, durationMs: number): void {
    const isHit = sources.every((source) => source === 'hit');
    this.#lastMs = Date.now();
    this.#success.add(durationMs);
    (isHit ? this.#cacheHit : this.#cacheMiss).add(isHit ? durationMs : 0);
    this.#images += sources.length;
    if (isHit) return;
    this.#executions++;
    this.#queue.add(timings.queueMs);
    this.#computeInput.add(timings.decodeMs + timings.viewsMs);
    this.#computeInfer.add(timings.engineMs);
    this.#computeOutput.add(timings.assembleMs ?? 0);
  }

  fail(durationMs: number): void {
    this.#lastMs = Date.now();
    this.#fail.add(durationMs);
  }

  /** In the words of Triton's statistics. An execution is a request that was not answered from the cache. */
  of(name: string) {
    return {
      name,
      version: modelVersion,
      lastInference: this.#lastMs,
      inferenceCount: this.#images,
      executionCount: this.#executions,
      inferenceStats: {
        success: this.#success.total,
        fail: this.#fail.total,
        queue: this.#queue.total,
        computeInput: this.#computeInput.total,
        computeInfer: this.#computeInfer.total,
        computeOutput: this.#computeOutput.total,
        cacheHit: this.#cacheHit.total,
        cacheMiss: this.#cacheMiss.total,
      },
      batchStats: [],
    } satisfies ModelStatistics;
  }
}
