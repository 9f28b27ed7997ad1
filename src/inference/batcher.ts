import { abortFailure } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import { viewsToHandOver } from './batch-policy.ts';
import type { BatchTimes } from './batch-times.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { GraphDtype } from '../model/graph-io.ts';
import type { SchedulingClass } from '../admission/priority.ts';
import type { Trace } from '../telemetry/trace.ts';
import { PriorityQueue } from '../admission/priority-queue.ts';

/** One view's tokens, in a buffer of its own. */
export interface ViewTokens {
  readonly tokens: Uint8Array<ArrayBuffer>;
  /** From joining the queue to the engine taking it up, and from there to its end, in milliseconds. */
  readonly queueMs: number;
  readonly engineMs: number;
}

/** What is wanted of a request's views. */
export interface WantedTokens {
  readonly dtype: GraphDtype;
  /** Of the request, where it is traced. */
  readonly trace?: Trace | undefined;
}

export interface BatcherOptions {
  readonly engine: Engine;
  readonly times: BatchTimes;
  /** No batch is larger. */
  readonly largest: number;
  /** The only sizes to run, ascending from 1; any when absent. */
  readonly sizes?: readonly number[] | undefined;
  /** Always use `largest`, rather than what the measured times call for. */
  readonly fixed: boolean;
  /** Cuts one dtype's tokens of a batch into its views' own buffers, off the main thread. */
  readonly split: (tokens: Uint8Array<ArrayBuffer>, views: number) => Promise<Uint8Array<ArrayBuffer>[]>;
  readonly now: () => number;
  readonly observe?: (batch: RunBatch) => void;
}

/** A batch that the engine has run. */
export interface RunBatch {
  readonly views: number;
  readonly engineMs: number;
  /** How long the engine had nothing before it although it was there; undefined where it was not, or is not known. */
  readonly gapMs?: number | undefined;
  /** When the engine had run it, by the batcher's clock. */
  readonly endedAt: number;
  /** Those of its requests that are traced. */
  readonly traces: readonly Trace[];
}

interface Waiting extends SchedulingClass {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly dtype: GraphDtype;
  readonly joinedAt: number;
  readonly resolve: (tokens: ViewTokens) => void;
  readonly reject: (error: ServiceError) => void;
  /** Whether it has its tokens or its error. */
  isSettled: boolean;
  /** What the views of one request share. */
  readonly request: { hasLeft: boolean; readonly permit: ViewsPermit; readonly trace: Trace | undefined };
}

/** A batch that the engine has and has not given back. */
interface HandedOver {
  readonly views: number;
  /** When the engine took it up, as far as is known. */
  startedAt: number;
  /** Resolves when the engine has given it back, whatever became of it. */
  ended: Promise<void>;
}

/** Joins the views of all callers of one model into batches. Each promise settles exactly once. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue = new PriorityQueue<Waiting>();
  /** The first runs, the second is prepared. */
  readonly #handedOver: HandedOver[] = [];
  #handOverPlanned = false;
  /** Batches that failed and are tried view by view, */
  #tryingAgain = 0;
  /** and the end of the last of them. */
  #secondTries: Promise<void> = Promise.resolve();

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
   * How long it takes until `views` more are encoded, by the times measured, when `ahead` views that wait come
   * before them; undefined before anything is measured, and when the engine has nothing to do.
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

  /** How long the engine takes for so many views, by the times measured; 0 before anything is. */
  workMs(views: number): number {
    const { times } = this.#options;
    const { largest } = this;
    const last = views % largest;
    const lastMs = last === 0 ? 0 : (times.estimateMs(last) ?? 0);
    return Math.floor(views / largest) * (times.estimateMs(largest) ?? 0) + lastMs;
  }

  /**
   * Tokens of the views of one request, in order. The views join the queue together; their buffers are taken over.
   * `permit` is room in the queue for them, and their place in it. Views whose signal fires leave the queue at
   * once and cost no engine time. Rejects with `cancelled` (or the signal's own ServiceError), `internal` for
   * tokens that are not finite or a failed run, `unavailable` when the engine is down.
   */
  async encode(
    permit: ViewsPermit,
    views: readonly Uint8Array<ArrayBuffer>[],
    { dtype, trace }: WantedTokens,
    signal: AbortSignal,
  ): Promise<ViewTokens[]> {
    if (views.length > permit.views)
      throw new RangeError(`${views.length} views on a permit of ${permit.views}`);
    if (signal.aborted) throw abortFailure(signal);
    const joinedAt = this.#options.now();
    const { caller, priority } = permit;
    /** Nobody waits for its views any more. */
    const request = { hasLeft: false, permit, trace };
    const shared = { dtype, caller, priority, joinedAt, request };
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

  /** After the current job, so that what it submits shares a batch. */
  #handOverSoon(): void {
    if (this.#handOverPlanned) return;
    this.#handOverPlanned = true;
    queueMicrotask(() => {
      this.#handOverPlanned = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    while (this.#tryingAgain === 0) {
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

  /** A batch that fails is tried once more, view by view: one that brings the engine down then fails alone. */
  async #run(batch: readonly Waiting[], attempt: 'first' | 'second'): Promise<void> {
    const { engine, times, observe, now } = this.#options;
    const wasPrepared = this.#handedOver.length > 0;
    const handedOver: HandedOver = { views: batch.length, startedAt: now(), ended: Promise.resolve() };
    this.#handedOver.push(handedOver);
    const dtypes = [...new Set(batch.map(({ dtype }) => dtype))];
    const encoding = engine
      .encode(
        batch.map(({ view }) => view),
        dtypes,
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
      await this.#answer(batch, encoded, endedAt);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      if (attempt === 'first') await this.#tryAgain(batch);
      for (const waiting of batch) this.#settle(waiting, error);
      this.#handOver();
    }
  }

  /**
   * Before anything else that waits, and each view with the engine to itself: one that ends it takes along
   * whatever it has beside it, and what has failed twice is given up.
   */
  async #tryAgain(batch: readonly Waiting[]): Promise<void> {
    this.#tryingAgain++;
    this.#secondTries = this.#secondTries.then(() => this.#oneByOne(batch));
    await this.#secondTries;
    this.#tryingAgain--;
  }

  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      await this.#handedOver.at(-1)?.ended;
      // The pixels of a view that the engine has run are gone.
      if (waiting.request.hasLeft || waiting.view.byteLength === 0) continue;
      await this.#run([waiting], 'second');
    }
  }

  /** The engine is done with it, and takes up the next. */
  #takeBack(handedOver: HandedOver): void {
    this.#handedOver.splice(this.#handedOver.indexOf(handedOver), 1);
    const [next] = this.#handedOver;
    if (next !== undefined) next.startedAt = this.#options.now();
  }

  async #answer(batch: readonly Waiting[], encoded: EncodedBatch, endedAt: number): Promise<void> {
    for (const dtype of ['float16', 'float32'] as const) {
      const tokens = encoded.tokens[dtype];
      if (tokens === undefined) continue;
      const each = batch.length === 1 ? [tokens] : await this.#options.split(tokens, batch.length);
      for (const [index, waiting] of batch.entries()) {
        if (waiting.dtype !== dtype) continue;
        if (encoded.finite[dtype]?.[index] !== true) {
          this.#settle(waiting, notFinite(dtype));
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

function notFinite(dtype: GraphDtype): ServiceError {
  const advice = dtype === 'float16' ? ' float32 tokens may be finite: ask for dtype=float32.' : '';
  return new ServiceError(
    'internal',
    `The model gave tokens of this image that are not finite numbers.${advice}`,
  );
}
