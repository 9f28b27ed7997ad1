import { abortFailure, type StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import { PriorityQueue } from '../admission/priority-queue.ts';
import { dtypeOf, type GraphOutput } from '../model/graph-io.ts';
import type { Trace } from '../telemetry/trace.ts';
import { notFinite } from '../tokens/tensor.ts';
import type { EncodedBatch } from './engine.ts';
import { expectedEndMs } from './expected-time.ts';
import { type Batch, Lane, soonest } from './lane.ts';
import type { PoolEngine } from './pool-engine.ts';
import { canRun, tracesOf, type ViewTokens, type WaitingView } from './waiting-view.ts';

/** What a request wants for its views. */
export interface WantedTokens {
  readonly outputs: readonly GraphOutput[];
  /** The trace of the request, if it is traced. */
  readonly trace?: Trace | undefined;
}

export interface BatcherOptions {
  /** At least one. They run the same model. */
  readonly engines: readonly PoolEngine[];
  /** Cuts a batch's tokens of one output into a buffer for each view, off the main thread. */
  readonly split: (tokens: Uint8Array<ArrayBuffer>, views: number) => Promise<Uint8Array<ArrayBuffer>[]>;
  readonly now: () => number;
  readonly observe?: (batch: RunBatch) => void;
}

/** A batch that an engine has run. */
export interface RunBatch {
  /** The engine's name. */
  readonly engine: string;
  readonly views: number;
  readonly engineMs: number;
  /** Idle time of the engine before this batch. Only known for a batch that was prepared while another ran. */
  readonly gapMs?: number | undefined;
  /** When the engine finished, by the batcher's clock. */
  readonly endedAt: number;
  /** The traces of its requests that are traced. */
  readonly traces: readonly Trace[];
}

/** Groups the views of all callers of one model into batches for its engines. Each promise settles exactly once. */
export class Batcher {
  readonly #options: BatcherOptions;
  /** The engines with the batches that they have. */
  readonly lanes: readonly Lane[];
  readonly #queue = new PriorityQueue<WaitingView>();
  /** Views to try once more, before any waiting view: each of a failed batch alone, those of a late one together. */
  #retries: (readonly WaitingView[])[] = [];
  #handOverPlanned = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.lanes = options.engines.map((engine) => new Lane(engine, options.now));
  }

  /** Views waiting for an engine. */
  get queued(): number {
    return this.#queue.size;
  }

  /**
   * The expected time until `views` more are encoded, with `ahead` waiting views before them. Undefined while an engine is
   * idle, and before anything is measured.
   */
  expectedMs(ahead: number, views: number): number | undefined {
    const engines = [];
    for (const lane of this.#working()) {
      const freeInMs = lane.isIdle ? undefined : lane.freeInMs();
      if (freeInMs === undefined) return undefined;
      engines.push(lane.forecast(freeInMs));
    }
    return expectedEndMs(engines, ahead + views);
  }

  /** The expected time of the engines for this many views; 0 before anything is measured. */
  workMs(views: number): number {
    return expectedEndMs(
      this.#working().map((lane) => lane.forecast(0)),
      views,
    );
  }

  /**
   * Encodes the views of one request and returns their tokens in order. The views join the queue together, in the
   * scheduling class of their `permit`, and their buffers are taken over. When `signal` fires, waiting views leave the
   * queue at once and cost no engine time.
   *
   * Rejects with `cancelled` or the signal's own ServiceError, with `internal` for a failed run or tokens that are not
   * finite, and with `unavailable` when every engine has ended.
   */
  async encode(
    permit: ViewsPermit,
    views: readonly Uint8Array<ArrayBuffer>[],
    { outputs, trace }: WantedTokens,
    signal: StopSignal,
  ): Promise<ViewTokens[]> {
    if (signal.aborted) throw abortFailure(signal);
    const request = { outputs, permit, trace, joinedAt: this.#options.now(), hasLeft: false };
    const { caller, priority } = permit;
    const waiting: WaitingView[] = [];
    const all = views.map(
      (view) =>
        new Promise<ViewTokens>((resolve, reject) => {
          waiting.push({
            view,
            caller,
            priority,
            request,
            resolve,
            reject,
            isSettled: false,
            failedOn: undefined,
          });
        }),
    );
    for (const one of waiting) this.#queue.add(one);
    const leave = () => {
      request.hasLeft = true;
      for (const one of waiting) {
        this.#queue.delete(one);
        one.reject(abortFailure(signal));
      }
      if (this.#retries.length > 0) this.#handOver();
    };
    signal.addEventListener('abort', leave);
    this.#handOverSoon();
    try {
      // Promise.all takes 2 µs, even of one promise.
      return all.length === 1 ? [await all[0]!] : await Promise.all(all);
    } finally {
      signal.removeEventListener('abort', leave);
      // When one view failed, or the caller left, nobody waits for the others.
      for (const one of waiting) this.#queue.delete(one);
    }
  }

  /** The state of an engine has changed. What a late engine has is tried on another. */
  engineChanged(): void {
    for (const lane of this.lanes) {
      if (lane.state !== 'late' || !this.lanes.some(({ state }) => state === 'up')) continue;
      for (const { views } of lane.handedOver) {
        const untried = views.filter((one) => one.failedOn === undefined && canRun(one));
        this.#retry(lane, untried);
      }
    }
    this.#handOver();
  }

  /** Hands over after the current job, so that the views that it submits share a batch. */
  #handOverSoon(): void {
    if (this.#handOverPlanned) return;
    this.#handOverPlanned = true;
    queueMicrotask(() => {
      this.#handOverPlanned = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    this.#dropRetries();
    let batch: Batch | undefined;
    while ((batch = this.#handOverRetry() ?? this.#handOverWaiting()) !== undefined) void this.#run(batch);
  }

  /** Drops the retries that have become needless. */
  #dropRetries(): void {
    if (this.#retries.length === 0) return;
    // A late engine has run a view without bytes, and its answer is on the way: it decides.
    for (const one of this.#retries.flat()) if (one.view.byteLength === 0) one.failedOn = undefined;
    this.#retries = this.#retries.map((views) => views.filter(canRun)).filter((views) => views.length > 0);
  }

  /** Hands over views that are tried again, to another engine than before if one works. */
  #handOverRetry(): Batch | undefined {
    if (this.#retries.length === 0) return undefined;
    const open = this.#open();
    for (const [index, all] of this.#retries.entries()) {
      const others = open.filter(({ pooled }) => pooled.name !== all[0]!.failedOn);
      const lane = (others.length > 0 ? others : open).find(({ isFree }) => isFree);
      if (lane === undefined) continue;
      const rest = [...all];
      const views = rest.splice(0, lane.viewsToTake(rest.length));
      this.#retries.splice(index, 1, ...(rest.length > 0 ? [rest] : []));
      return lane.add(views, true);
    }
    return undefined;
  }

  /** Hands over waiting views, to the engine that runs them first. */
  #handOverWaiting(): Batch | undefined {
    if (this.#queue.size === 0) return undefined;
    const open = this.#open();
    const free = open.filter(({ isFree }) => isFree);
    // Nothing is prepared while a view waits to be tried again: the engine would not become free for it.
    const candidates = free.length > 0 || this.#retries.length > 0 ? free : open;
    const queued = Math.ceil(this.#queue.size / Math.max(1, free.length));
    const lane = soonest(candidates.filter((one) => one.viewsToTake(queued) > 0));
    if (lane === undefined) return undefined;
    const views = this.#queue.take(lane.viewsToTake(queued));
    for (const { request } of views) request.permit.begin();
    return lane.add(views, false);
  }

  async #run(batch: Batch): Promise<void> {
    const { observe, now } = this.#options;
    const { lane, views, wasPrepared } = batch;
    const { name, engine, times } = lane.pooled;
    const distinct = new Set<GraphOutput>();
    for (const { request } of views) for (const output of request.outputs) distinct.add(output);
    const outputs = [...distinct];
    try {
      const pixels = views.map(({ view }) => view);
      const encoded = await engine.encode(pixels, outputs).finally(() => lane.takeBack(batch));
      const endedAt = now();
      const { engineMs, idleMs } = encoded;
      times.record(views.length, engineMs);
      this.#handOver();
      const gapMs = wasPrepared ? idleMs : undefined;
      observe?.({ engine: name, views: views.length, engineMs, gapMs, endedAt, traces: tracesOf(views) });
      await this.#answer(batch, outputs, encoded, endedAt);
      if (this.#retries.length > 0) this.#handOver();
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      const canWork = this.lanes.some(({ state }) => state !== 'ended');
      for (const waiting of views) this.#fail(batch, waiting, error, canWork);
      this.#handOver();
    }
  }

  async #answer(
    batch: Batch,
    outputs: readonly GraphOutput[],
    { tokens, finite, engineMs }: EncodedBatch,
    endedAt: number,
  ): Promise<void> {
    const { lane, views } = batch;
    const others = this.lanes.some((other) => other !== lane && other.state !== 'ended');
    const each = new Map<GraphOutput, readonly Uint8Array<ArrayBuffer>[]>();
    for (const output of outputs) {
      const all = tokens[output];
      if (all === undefined) throw new Error(`the engine gave no ${output}`);
      each.set(output, views.length === 1 ? [all] : await this.#options.split(all, views.length));
    }
    for (const [index, waiting] of views.entries()) {
      const { joinedAt, outputs: wanted } = waiting.request;
      const overflown = wanted.find((output) => finite[output]?.[index] !== true);
      if (overflown !== undefined) {
        // Either the image or the engine is at fault. A run on another engine shows which.
        this.#fail(batch, waiting, notFinite(dtypeOf(overflown)), others);
        continue;
      }
      const queueMs = Math.max(0, endedAt - joinedAt - engineMs);
      const own = wanted.map((output) => each.get(output)![index]!);
      this.#settle(waiting, { tokens: own, queueMs, engineMs, batchViews: views.length });
    }
  }

  /** Has a view of a failed run tried once more, or rejects it. */
  #fail({ lane, views, isRetry }: Batch, waiting: WaitingView, error: ServiceError, mayRetry: boolean): void {
    // Of the views of a late batch that failed together, any may be at fault.
    const isOpen = waiting.failedOn === undefined || (isRetry && views.length > 1);
    if (mayRetry && isOpen && canRun(waiting)) this.#retry(lane, [waiting]);
    // A late batch's views are tried elsewhere already, and that run decides.
    else if (isRetry || waiting.failedOn === undefined) this.#settle(waiting, error);
  }

  #retry(lane: Lane, views: readonly WaitingView[]): void {
    for (const one of views) one.failedOn = lane.pooled.name;
    if (views.length > 0) this.#retries.push(views);
  }

  /** The engines to use. An engine that has ended rejects what it gets, which is the answer when all have. */
  #open(): readonly Lane[] {
    const open = this.lanes.filter(({ state }) => state === 'up');
    if (open.length > 0 || this.lanes.some(({ state }) => state !== 'ended')) return open;
    return this.lanes;
  }

  /** The engines that run what is admitted now: those that are up, or else those that may come back. */
  #working(): readonly Lane[] {
    const open = this.#open();
    return open.length > 0 ? open : this.lanes.filter(({ state }) => state !== 'ended');
  }

  #settle(waiting: WaitingView, outcome: ViewTokens | ServiceError): void {
    if (waiting.isSettled) return;
    waiting.isSettled = true;
    if (outcome instanceof ServiceError) {
      waiting.request.hasLeft = true;
      waiting.reject(outcome);
    } else waiting.resolve(outcome);
  }
}
