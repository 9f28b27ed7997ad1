import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Bound, bounds, type ErrorCode } from '../errors/service-error.ts';
import type { AnswerSource, StageTimings } from './stage-timings.ts';

export type Transport = 'http' | 'grpc';

/** How a request ended: `ok`, a failure's code, or a name that the transport has for a refusal of its own. */
export type Outcome = 'ok' | ErrorCode | 'method_not_allowed' | 'request_timeout' | 'headers_too_large';

/** Views between admission and answer, and those of them that wait for the engine. */
export interface QueuedViews {
  readonly admitted: number;
  readonly queued: number;
}

/**
 * What memory is held for callers: bodies and messages of requests, tokens in the cache, answers that are not read
 * yet.
 */
export type HeldFor = 'requests' | 'cache' | 'unread';

/** A batch that a model's engine has run. */
export interface ObservedBatch {
  readonly model: string;
  readonly views: number;
  readonly engineMs: number;
  /** Idle time of the engine before it although the batch was prepared; undefined if it was not. */
  readonly gapMs?: number | undefined;
}

/** A model's t(b), and the largest batch that is worth running now. */
export interface BatchPlan {
  readonly times: readonly (readonly [views: number, batchMs: number])[];
  readonly largest: number;
}

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
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
  readonly #engineGap: Histogram<'model'>;
  readonly #restarts: Counter<'model'>;
  readonly #refusals: Counter<'bound'>;
  readonly #inflight = new Map<Transport, () => number>();
  #readReady = (): boolean => false;
  #readQueue = (): QueuedViews => ({ admitted: 0, queued: 0 });
  readonly #held = new Map<HeldFor, () => number>();
  readonly #batchPlans = new Map<string, () => BatchPlan>();

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, prefix });
    this.#requests = new Counter({
      name: `${prefix}requests_total`,
      help: 'Requests answered, but for probes and /metrics, by how they ended, ok or the error code, and by the name of the API key if there was one.',
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
    this.#engineGap = new Histogram({
      name: `${prefix}engine_gap_seconds`,
      help: 'Time between two batches in which the engine had nothing although the second was ready.',
      labelNames: ['model'],
      buckets: stageSeconds,
      registers,
    });
    this.#refusals = new Counter({
      name: `${prefix}refusals_total`,
      help: 'Requests, or images of several, refused for want of room or time, by the bound.',
      labelNames: ['bound'],
      registers,
    });
    // What begins with its first value has no rate, and no increase, until its second.
    for (const bound of bounds) this.#refusals.inc({ bound }, 0);
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
  observeBatch({ views, engineMs, gapMs, model }: ObservedBatch): void {
    this.#batchViews.observe({ model }, views);
    this.#engineBusy.inc({ model }, engineMs / 1000);
    if (gapMs !== undefined) this.#engineGap.observe({ model }, gapMs / 1000);
  }

  /** One request that found no room, or not in time. */
  observeRefusal(bound: Bound): void {
    this.#refusals.inc({ bound });
  }

  /** An engine that ended by itself and was replaced. */
  observeRestart(model: string): void {
    this.#restarts.inc({ model });
  }

  /** Where to read whether requests are accepted; a later call replaces an earlier one. */
  watchReady(read: () => boolean): void {
    this.#readReady = read;
  }

  /** Where to read what waits for the engine; a later call replaces an earlier one. */
  watchQueue(read: () => QueuedViews): void {
    this.#readQueue = read;
  }

  /** Where to read what is held for something, in bytes; a later call replaces an earlier one. */
  watchHeld(what: HeldFor, read: () => number): void {
    this.#held.set(what, read);
  }

  /** Where to read what a model's batches take; a later call replaces an earlier one. */
  watchBatches(model: string, read: () => BatchPlan): void {
    this.#restarts.inc({ model }, 0);
    this.#batchPlans.set(model, read);
  }

  /** Where to read how many requests a transport has under way; a later call replaces an earlier one. */
  watchInflight(transport: Transport, read: () => number): void {
    this.#inflight.set(transport, read);
  }

  /** What is exposed of the service's own; those of node and of the process are prom-client's. */
  describe(): readonly DescribedMetric[] {
    return this.#registry
      .getMetricsAsArray()
      .filter(({ name }) => !/^siglip_hd_(process|nodejs)_/.test(name))
      .map(({ name, help, type, ...rest }) => ({ name, help, type: String(type), labels: labelsOf(rest) }));
  }

  /** Everything in Prometheus' text format, and that format's content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #addGauges(registers: Registry[]): void {
    const ready = new Gauge({
      name: `${prefix}ready`,
      help: 'Whether requests are accepted: 1, or 0 while models load, while it drains, and where an engine is down.',
      registers,
      collect: () => {
        ready.set(this.#readReady() ? 1 : 0);
      },
    });
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
      help: 'Bytes held of requests whose images are not encoded yet, of tokens in the cache, and of answers from their plan until they are read.',
      labelNames: ['what'],
      registers,
      collect: () => {
        for (const [what, read] of this.#held) held.set({ what }, read());
      },
    });
    const batchTime = new Gauge({
      name: `${prefix}batch_seconds`,
      help: 'What a batch of so many views takes, as measured.',
      labelNames: ['model', 'views'],
      registers,
      collect: () => {
        batchTime.reset();
        for (const [model, read] of this.#batchPlans) {
          for (const [views, batchMs] of read().times) batchTime.set({ model, views }, batchMs / 1000);
        }
      },
    });
    const batchLimit = new Gauge({
      name: `${prefix}batch_limit_views`,
      help: 'The largest batch that is worth running now.',
      labelNames: ['model'],
      registers,
      collect: () => {
        for (const [model, read] of this.#batchPlans) batchLimit.set({ model }, read().largest);
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

/** prom-client's types leave them out. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}
