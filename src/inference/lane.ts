import { viewsToHandOver } from './batch-policy.ts';
import type { EngineState } from './engine.ts';
import type { EngineForecast } from './expected-time.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { WaitingView } from './waiting-view.ts';

/** A batch that an engine has and has not finished. */
export interface Batch {
  readonly lane: Lane;
  readonly views: readonly WaitingView[];
  /** Whether its views are tried again. Nothing is prepared behind it: if a view ends the engine, every batch that it has fails. */
  readonly isRetry: boolean;
  /** Whether it was handed over while the engine ran others. */
  readonly wasPrepared: boolean;
  /** When the engine started it, as far as the batcher can tell. */
  startedAt: number;
}

/** An engine of a pool with the batches that it has: some run, and one is prepared. */
export class Lane {
  readonly pooled: PoolEngine;
  readonly #now: () => number;
  readonly #handedOver: Batch[] = [];

  constructor(pooled: PoolEngine, now: () => number) {
    this.pooled = pooled;
    this.#now = now;
  }

  get state(): EngineState {
    return this.pooled.state?.() ?? 'up';
  }

  /** The largest batch worth running now. */
  get largest(): number {
    const { fixed, largest, times } = this.pooled;
    return fixed ? largest : times.knee(largest);
  }

  get isIdle(): boolean {
    return this.#handedOver.length === 0;
  }

  /** Whether a batch that it gets now starts at once. */
  get isFree(): boolean {
    return this.#handedOver.length < this.#parallel;
  }

  /** The batches that it has. */
  get handedOver(): readonly Batch[] {
    return this.#handedOver;
  }

  /** How many of the waiting views to hand over to this engine now; 0 for none. */
  viewsToTake(queued: number): number {
    if (this.#handedOver.some(({ isRetry }) => isRetry) && !this.isFree) return 0;
    return viewsToHandOver({
      queued,
      handedOver: Math.max(0, this.#handedOver.length - this.#parallel + 1),
      largest: this.largest,
      sizes: this.pooled.sizes,
    });
  }

  /** Makes a batch of the views and hands it over. */
  add(views: readonly WaitingView[], isRetry: boolean): Batch {
    const batch = { lane: this, views, isRetry, wasPrepared: !this.isFree, startedAt: this.#now() };
    this.#handedOver.push(batch);
    return batch;
  }

  /** The engine has finished a batch and starts the next. */
  takeBack(batch: Batch): void {
    this.#handedOver.splice(this.#handedOver.indexOf(batch), 1);
    const next = this.#handedOver[this.#parallel - 1];
    if (next !== undefined) next.startedAt = this.#now();
  }

  /** The time until it has finished the batches that it has, in milliseconds; undefined before anything is measured. */
  freeInMs(): number | undefined {
    const parallel = this.#parallel;
    let freeInMs = 0;
    for (const [index, { views, startedAt }] of this.#handedOver.entries()) {
      const batchMs = this.pooled.times.estimateMs(views.length);
      if (batchMs === undefined) return undefined;
      freeInMs += index < parallel ? Math.max(0, batchMs - (this.#now() - startedAt)) : batchMs;
    }
    return freeInMs / parallel;
  }

  /** What it can do once `freeInMs` have passed. */
  forecast(freeInMs: number): EngineForecast {
    const batchMs = (views: number) => (this.pooled.times.estimateMs(views) ?? 0) / this.#parallel;
    return { freeInMs, largest: this.largest, batchMs };
  }

  get #parallel(): number {
    return this.pooled.parallel ?? 1;
  }
}

/** The engine that is free first; of those, the fastest. */
export function soonest(lanes: readonly Lane[]): Lane | undefined {
  if (lanes.length < 2) return lanes[0];
  const [first, ...others] = lanes.map((lane) => ({
    lane,
    freeInMs: lane.freeInMs() ?? 0,
    viewMs: lane.pooled.times.estimateMs(1) ?? 0,
  }));
  let best = first;
  for (const other of others) {
    const sooner = other.freeInMs - best!.freeInMs || other.viewMs - best!.viewMs;
    if (sooner < 0) best = other;
  }
  return best?.lane;
}
