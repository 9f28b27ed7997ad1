import type { EncodeAnswer } from '../../encoding/request.ts';
import type { ModelStatistics } from '../../open-inference/generated/open-inference.ts';
import { modelVersion } from './infer-request.ts';

/** How often something happened, and for how long in all. */
class Duration {
  count = 0;
  ns = 0;

  add(durationMs: number): void {
    this.count++;
    this.ns += Math.round(durationMs * 1e6);
  }
}

/** Counts and durations of the infer requests to one model. */
export class InferStatistics {
  readonly #durations = {
    success: new Duration(),
    fail: new Duration(),
    queue: new Duration(),
    computeInput: new Duration(),
    computeInfer: new Duration(),
    computeOutput: new Duration(),
    cacheHit: new Duration(),
    cacheMiss: new Duration(),
  };
  #lastMs = 0;
  #images = 0;
  #executions = 0;

  succeed({ timings, sources }: Pick<EncodeAnswer, 'timings' | 'sources'>, durationMs: number): void {
    const { success, queue, computeInput, computeInfer, computeOutput, cacheHit, cacheMiss } =
      this.#durations;
    const isHit = sources.every((source) => source === 'hit');
    this.#lastMs = Date.now();
    success.add(durationMs);
    (isHit ? cacheHit : cacheMiss).add(isHit ? durationMs : 0);
    this.#images += sources.length;
    if (isHit) return;
    this.#executions++;
    queue.add(timings.queueMs);
    computeInput.add(timings.decodeMs + timings.viewsMs);
    computeInfer.add(timings.engineMs);
    computeOutput.add(timings.assembleMs ?? 0);
  }

  fail(durationMs: number): void {
    this.#lastMs = Date.now();
    this.#durations.fail.add(durationMs);
  }

  /** As Triton's statistics. An execution is a request that was not answered from the cache. */
  of(name: string) {
    return {
      name,
      version: modelVersion,
      lastInference: this.#lastMs,
      inferenceCount: this.#images,
      executionCount: this.#executions,
      inferenceStats: this.#durations,
      batchStats: [],
    } satisfies ModelStatistics;
  }
}
