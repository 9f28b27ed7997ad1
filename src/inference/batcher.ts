import { abortFailure } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import { viewsToHandOver } from './batch-policy.ts';
import type { BatchTimes } from './batch-times.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import { dtypeOf, type GraphOutput } from '../model/graph-io.ts';
import type { SchedulingClass } from '../admission/priority.ts';
import type { Trace } from '../telemetry/trace.ts';
import { PriorityQueue } from '../admission/priority-queue.ts';
import { notFinite } from '../tokens/tensor.ts';

/** The tokens of one view, in a buffer of their own. Times are milliseconds. */
export interface ViewTokens {
  readonly tokens: Uint8Array<ArrayBuffer>;
  /** From joining the queue until the engine takes the view. */
  readonly queueMs: number;
  /** The engine's time for the batch. */
  readonly engineMs: number;
}

/** What a request wants for its views. */
export interface WantedTokens {
  readonly output: GraphOutput;
  /** The trace of the request, if it is traced. */
  readonly trace?: Trace | undefined;
}

export interface BatcherOptions {
  readonly engine: Engine;
  readonly times: BatchTimes;
  /** The largest batch to run. */
  readonly largest: number;
  /** The only sizes to run, ascending from 1; any size when absent. */
  readonly sizes?: readonly number[] | undefined;
  /** Whether to always use `largest`, whatever the measured times say. */
  readonly fixed: boolean;
  /** Cuts a batch's tokens of one output into a buffer for each view, off the main thread. */
  readonly split: (tokens: Uint8Array<ArrayBuffer>, views: number) => Promise<Uint8Array<ArrayBuffer>[]>;
  readonly now: () => number;
  readonly observe?: (batch: RunBatch) => void;
}

/** A batch that the engine has run. */
export interface RunBatch {
  readonly views: number;
  readonly engineMs: number;
  /** Idle time of the engine before this batch. Only known for a batch that was prepared while another ran. */
  readonly gapMs?: number | undefined;
  /** When the engine finished, by the batcher's clock. */
  readonly endedAt: number;
  /** The traces of its requests that are traced. */
  readonly traces: readonly Trace[];
}

interface Waiting extends SchedulingClass {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly output: GraphOutput;
  readonly joinedAt: number;
  readonly resolve: (tokens: ViewTokens) => void;
  readonly reject: (error: ServiceError) => void;
  /** Whether the caller has its tokens or its error. */
  isSettled: boolean;
  /** What the views of one request share. `hasLeft`: nobody waits for them any more. */
  readonly request: { hasLeft: boolean; readonly permit: ViewsPermit; readonly trace: Trace | undefined };
}

/** A batch that the engine has and has not finished. */
interface HandedOver {
  readonly views: number;
  /** When the engine started it, as far as the batcher can tell. */
  startedAt: number;
  /** Resolves when the engine has finished it, successfully or not. */
  ended: Promise<void>;
}

/** Groups the views of all callers of one model into batches. Each promise settles exactly once. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue = new PriorityQueue<Waiting>();
  /** The batches of the engine: the first runs, the second is prepared. */
  readonly #handedOver: HandedOver[] = [];
  #handOverPlanned = false;
  /** Failed batches that are being retried view by view. */
  #retrying = 0;
  /** Resolves when the last retry has ended. */
  #lastRetry: Promise<void> = Promise.resolve();

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Views waiting for the engine. */
  get queued(): number {
    return this.#queue.size;
  }

  /** The largest batch worth running now. */
  get largest(): number {
    const { fixed, largest, times } = this.#options;
    return fixed ? largest : times.knee(largest);
  }

  /**
   * The expected time until `views` more are encoded, with `ahead` waiting views before them. Undefined while the engine
   * is idle, and before anything is measured.
   */
  expectedMs(ahead: number, views: number): number | undefined {
    if (this.#handedOver.length === 0) return undefined;
    const { times, now } = this.#options;
    let expectedMs = 0;
    for (const [index, batch] of this.#handedOver.entries()) {
      const batchMs = times.estimateMs(batch.views);
      if (batchMs === undefined) return undefined;
      expectedMs += index === 0 ? Math.max(0, batchMs - (now() - batch.startedAt)) : batchMs;
    }
    return expectedMs + this.workMs(ahead + views);
  }

  /** The expected time of the engine for this many views; 0 before anything is measured. */
  workMs(views: number): number {
    const { times } = this.#options;
    const { largest } = this;
    const last = views % largest;
    const lastMs = last === 0 ? 0 : (times.estimateMs(last) ?? 0);
    return Math.floor(views / largest) * (times.estimateMs(largest) ?? 0) + lastMs;
  }

  /**
   * Encodes the views of one request and returns their tokens in order. The views join the queue together, in the
   * scheduling class of their `permit`, and their buffers are taken over. When `signal` fires, waiting views leave the
   * queue at once and cost no engine time.
   *
   * Rejects with `cancelled` or the signal's own ServiceError, with `internal` for a failed run or tokens that are not
   * finite, and with `unavailable` when the engine is down.
   */
  async encode(
    permit: ViewsPermit,
    views: readonly Uint8Array<ArrayBuffer>[],
    { output, trace }: WantedTokens,
    signal: AbortSignal,
  ): Promise<ViewTokens[]> {
    if (views.length > permit.views)
      throw new RangeError(`${views.length} views on a permit of ${permit.views}`);
    if (signal.aborted) throw abortFailure(signal);
    const joinedAt = this.#options.now();
    const { caller, priority } = permit;
    const request = { hasLeft: false, permit, trace };
    const shared = { output, caller, priority, joinedAt, request };
    const waiting: Waiting[] = [];
    const all = views.map(
      (view) =>
        new Promise<ViewTokens>((resolve, reject) => {
          waiting.push({ ...shared, view, resolve, reject, isSettled: false });
        }),
    );
    for (const one of waiting) this.#queue.add(one);
    const leave = () => {
      request.hasLeft = true;
      for (const one of waiting) {
        this.#queue.delete(one);
        one.reject(abortFailure(signal));
      }
    };
    signal.addEventListener('abort', leave);
    this.#handOverSoon();
    try {
      return await Promise.all(all);
    } finally {
      signal.removeEventListener('abort', leave);
      // When one view failed, or the caller left, nobody waits for the others.
      for (const one of waiting) this.#queue.delete(one);
    }
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
    while (this.#retrying === 0) {
      const views = viewsToHandOver({
        queued: this.#queue.size,
        handedOver: this.#handedOver.length,
        largest: this.largest,
        sizes: this.#options.sizes,
      });
      if (views === 0) return;
      const batch = this.#queue.take(views);
      for (const { request } of batch) request.permit.begin();
      void this.#run(batch, 'first');
    }
  }

  /** Runs a batch. A failed batch is retried once, view by view, so that a view that ends the engine fails alone. */
  async #run(batch: readonly Waiting[], attempt: 'first' | 'second'): Promise<void> {
    const { engine, times, observe, now } = this.#options;
    const wasPrepared = this.#handedOver.length > 0;
    const handedOver: HandedOver = { views: batch.length, startedAt: now(), ended: Promise.resolve() };
    this.#handedOver.push(handedOver);
    const outputs = [...new Set(batch.map(({ output }) => output))];
    const encoding = engine
      .encode(
        batch.map(({ view }) => view),
        outputs,
      )
      .finally(() => this.#takeBack(handedOver));
    handedOver.ended = encoding.then(
      () => undefined,
      () => undefined,
    );
    try {
      const encoded = await encoding;
      const endedAt = now();
      times.record(batch.length, encoded.engineMs);
      this.#handOver();
      const { engineMs, idleMs } = encoded;
      const gapMs = wasPrepared ? idleMs : undefined;
      observe?.({ views: batch.length, engineMs, gapMs, endedAt, traces: tracesOf(batch) });
      await this.#answer(batch, outputs, encoded, endedAt);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      if (attempt === 'first') await this.#retry(batch);
      for (const waiting of batch) this.#settle(waiting, error);
      this.#handOver();
    }
  }

  /**
   * Retries a failed batch before any waiting view. Each view has the engine to itself, because a view that ends the
   * engine also fails whatever else the engine has.
   */
  async #retry(batch: readonly Waiting[]): Promise<void> {
    this.#retrying++;
    this.#lastRetry = this.#lastRetry.then(() => this.#runOneByOne(batch));
    await this.#lastRetry;
    this.#retrying--;
  }

  async #runOneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      await this.#handedOver.at(-1)?.ended;
      // A view without bytes has been run: its pixels are gone.
      if (waiting.request.hasLeft || waiting.view.byteLength === 0) continue;
      await this.#run([waiting], 'second');
    }
  }

  /** The engine has finished a batch and starts the next. */
  #takeBack(handedOver: HandedOver): void {
    this.#handedOver.splice(this.#handedOver.indexOf(handedOver), 1);
    const [next] = this.#handedOver;
    if (next !== undefined) next.startedAt = this.#options.now();
  }

  async #answer(
    batch: readonly Waiting[],
    outputs: readonly GraphOutput[],
    encoded: EncodedBatch,
    endedAt: number,
  ): Promise<void> {
    for (const output of outputs) {
      const tokens = encoded.tokens[output];
      if (tokens === undefined) continue;
      const each = batch.length === 1 ? [tokens] : await this.#options.split(tokens, batch.length);
      for (const [index, waiting] of batch.entries()) {
        if (waiting.output !== output) continue;
        if (encoded.finite[output]?.[index] !== true) {
          this.#settle(waiting, notFinite(dtypeOf(output)));
          continue;
        }
        const { engineMs } = encoded;
        const queueMs = Math.max(0, endedAt - waiting.joinedAt - engineMs);
        this.#settle(waiting, { tokens: each[index]!, queueMs, engineMs });
      }
    }
  }

  #settle(waiting: Waiting, outcome: ViewTokens | ServiceError): void {
    if (waiting.isSettled) return;
    waiting.isSettled = true;
    if (outcome instanceof ServiceError) {
      waiting.request.hasLeft = true;
      waiting.reject(outcome);
    } else waiting.resolve(outcome);
  }
}

function tracesOf(batch: readonly Waiting[]): readonly Trace[] {
  return [...new Set(batch.flatMap(({ request }) => request.trace ?? []))];
}
