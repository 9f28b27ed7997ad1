import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from './errors.ts';
import type { AnswerSource, StageTimings } from './request.ts';

export type Transport = 'http' | 'grpc';

/** How a request ended: `ok`, a failure's code, or a name that the transport has for a refusal of its own. */
export type Outcome = 'ok' | ErrorCode | 'method_not_allowed' | 'request_timeout' | 'headers_too_large';

/** Views between admission and answer, and those of them that wait for the engine. */
export interface QueuedViews {
  readonly admitted: number;
  readonly queued: number;
}

/** What is held in memory for callers, in bytes. */
export interface HeldBytes {
  readonly cache: number;
  /** Answers that are not read yet. */
  readonly unread: number;
}

const prefix = 'siglip_hd_';
const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const stageSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const batchViews = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * What one service measures of itself, in a registry of its own, so that several may live in a process. Durations
 * are given in milliseconds and exposed in seconds. Gauges are read when the metrics are asked for.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'transport' | 'endpoint' | 'code' | 'caller'>;
  readonly #requestDuration: Histogram<'transport' | 'endpoint'>;
  readonly #stageDuration: Histogram<'stage'>;
  readonly #sources: Counter<'source'>;
  readonly #batchViews: Histogram<'model'>;
  readonly #engineBusy: Counter<'model'>;
  readonly #restarts: Counter<'model'>;
  readonly #inflight = new Map<Transport, () => number>();
  #readQueue = (): QueuedViews => ({ admitted: 0, queued: 0 });
  #readHeld = (): HeldBytes => ({ cache: 0, unread: 0 });

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, prefix });
    this.#requests = new Counter({
      name: `${prefix}requests_total`,
      help: 'Requests answered, by how they ended, ok or the error code, and by the name of the API key if there was one.',
      labelNames: ['transport', 'endpoint', 'code', 'caller'],
      registers,
    });
    this.#requestDuration = new Histogram({
      name: `${prefix}request_duration_seconds`,
      help: 'From the request line to the last byte of the answer.',
      labelNames: ['transport', 'endpoint'],
      buckets: requestSeconds,
      registers,
    });
    this.#stageDuration = new Histogram({
      name: `${prefix}stage_duration_seconds`,
      help: 'Wall time of each stage of a successful encode.',
      labelNames: ['stage'],
      buckets: stageSeconds,
      registers,
    });
    this.#sources = new Counter({
      name: `${prefix}images_total`,
      help: 'Images answered, by where their tokens came from: hit (the cache), joined (work under way), miss.',
      labelNames: ['source'],
      registers,
    });
    this.#batchViews = new Histogram({
      name: `${prefix}batch_views`,
      help: 'Views in each batch that the engine ran.',
      labelNames: ['model'],
      buckets: batchViews,
      registers,
    });
    this.#engineBusy = new Counter({
      name: `${prefix}engine_busy_seconds_total`,
      help: "Time spent inside the engine's native call.",
      labelNames: ['model'],
      registers,
    });
    this.#restarts = new Counter({
      name: `${prefix}engine_restarts_total`,
      help: 'Engines that ended by themselves and were replaced.',
      labelNames: ['model'],
      registers,
    });
    this.#addGauges(registers);
  }

  /** One request, once, when its answer has ended or its client has gone. */
  observeRequest(request: {
    readonly transport: Transport;
    readonly endpoint: string;
    readonly code: Outcome;
    readonly durationMs: number;
    /** The name of its API key. */
    readonly caller?: string | undefined;
  }): void {
    const { transport, endpoint, code, durationMs, caller } = request;
    this.#requests.inc({ transport, endpoint, code, ...(caller === undefined ? {} : { caller }) });
    this.#requestDuration.observe({ transport, endpoint }, durationMs / 1000);
  }

  /** The stages of one successful encode. */
  observeStages(timings: StageTimings): void {
    this.#stageDuration.observe({ stage: 'decode' }, timings.decodeMs / 1000);
    this.#stageDuration.observe({ stage: 'views' }, timings.viewsMs / 1000);
    this.#stageDuration.observe({ stage: 'queue' }, timings.queueMs / 1000);
    this.#stageDuration.observe({ stage: 'engine' }, timings.engineMs / 1000);
    if (timings.assembleMs !== undefined) {
      this.#stageDuration.observe({ stage: 'assemble' }, timings.assembleMs / 1000);
    }
  }

  /** Where one image's tokens came from. */
  observeSource(source: AnswerSource): void {
    this.#sources.inc({ source });
  }

  /** The time to put one answer into its format. */
  observeWrite(writeMs: number): void {
    this.#stageDuration.observe({ stage: 'write' }, writeMs / 1000);
  }

  /** One batch that the engine ran. */
  observeBatch(batch: { readonly views: number; readonly engineMs: number; readonly model: string }): void {
    this.#batchViews.observe({ model: batch.model }, batch.views);
    this.#engineBusy.inc({ model: batch.model }, batch.engineMs / 1000);
  }

  /** An engine that ended by itself and was replaced. */
  observeRestart(model: string): void {
    this.#restarts.inc({ model });
  }

  /** Where to read what waits for the engine; a later call replaces an earlier one. */
  watchQueue(read: () => QueuedViews): void {
    this.#readQueue = read;
  }

  /** Where to read what is held; a later call replaces an earlier one. */
  watchHeld(read: () => HeldBytes): void {
    this.#readHeld = read;
  }

  /** Where to read how many requests a transport has under way; a later call replaces an earlier one. */
  watchInflight(transport: Transport, read: () => number): void {
    this.#inflight.set(transport, read);
  }

  /** Everything in Prometheus' text format, and that format's content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #addGauges(registers: Registry[]): void {
    const queued = new Gauge({
      name: `${prefix}views`,
      help: 'Views admitted and not yet answered, and those of them that wait for the engine.',
      labelNames: ['state'],
      registers,
      collect: () => {
        const views = this.#readQueue();
        queued.set({ state: 'admitted' }, views.admitted);
        queued.set({ state: 'queued' }, views.queued);
      },
    });
    const held = new Gauge({
      name: `${prefix}held_bytes`,
      help: 'Bytes of tokens in the cache, and in answers that their clients have not read yet.',
      labelNames: ['what'],
      registers,
      collect: () => {
        const { cache, unread } = this.#readHeld();
        held.set({ what: 'cache' }, cache);
        held.set({ what: 'unread' }, unread);
      },
    });
    const inflight = new Gauge({
      name: `${prefix}inflight_requests`,
      help: 'Requests begun and not yet ended.',
      labelNames: ['transport'],
      registers,
      collect: () => {
        for (const [transport, read] of this.#inflight) inflight.set({ transport }, read());
      },
    });
  }
}
