import { type Bound, bounds, type ErrorCode } from '../errors/service-error.ts';
import { type DescribedMetric, MetricRegistry } from './metric-registry.ts';
import type { AnswerSource, StageTimings } from './stage-timings.ts';

export type Transport = 'http' | 'grpc';

/** How a request ended: `ok`, a failure's code, or a refusal that only the transport knows. */
export type Outcome = 'ok' | ErrorCode | 'method_not_allowed' | 'request_timeout' | 'headers_too_large';

/** Views between admission and answer, and the part of them that waits for the engine. */
export interface QueuedViews {
  readonly admitted: number;
  readonly queued: number;
}

/** What memory is held for: request bodies and messages, cached tokens, and unread answers. */
export type HeldFor = 'requests' | 'cache' | 'unread';

/** A batch that an engine has run. */
export interface ObservedBatch {
  readonly model: string;
  /** The engine's name. */
  readonly engine: string;
  readonly views: number;
  readonly engineMs: number;
  /** Idle time of the engine before a batch that was ready; undefined if it was not. */
  readonly gapMs?: number | undefined;
}

/** An engine of a model, the measured times of its batches, and the largest batch worth running now. */
export interface ObservedEngine {
  readonly name: string;
  readonly state: 'up' | 'late' | 'down' | 'ended';
  readonly times: readonly (readonly [views: number, batchMs: number])[];
  readonly largest: number;
}

/** What `siglip_hd_model_info` says about a model. */
export interface ServedModelInfo {
  readonly name: string;
  readonly digest: string;
  readonly features: string;
  readonly precision: string;
  /** The commit on the hub that it was imported from. */
  readonly revision?: string | undefined;
}

const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const stageSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const batchViews = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * The metrics of one service, in a registry of its own, so that a process can run several services. Durations are passed
 * in milliseconds and exposed in seconds. Gauges are read at each scrape; a second `watch` replaces the first.
 */
export class Metrics {
  readonly #registry = new MetricRegistry();
  readonly #requests = this.#registry.counter(
    'requests_total',
    'Requests answered, without probes and /metrics, by outcome (ok or the error code) and by the name of the API key if there was one.',
    ['transport', 'endpoint', 'code', 'caller'],
  );
  readonly #requestDuration = this.#registry.histogram(
    'request_duration_seconds',
    'From the request line to the last byte of the answer.',
    ['transport', 'endpoint'],
    requestSeconds,
  );
  readonly #stageDuration = this.#registry.histogram(
    'stage_duration_seconds',
    'Wall time of each stage of a successful encode, by model.',
    ['stage', 'model'],
    stageSeconds,
  );
  readonly #sources = this.#registry.counter(
    'images_total',
    'Images answered, by the source of their tokens: hit (the cache), joined (work under way), miss.',
    ['source'],
  );
  readonly #batchViews = this.#registry.histogram(
    'batch_views',
    'Views in each batch that the engine ran.',
    ['model'],
    batchViews,
  );
  readonly #engineBusy = this.#registry.counter(
    'engine_busy_seconds_total',
    "Time spent inside the engine's native call.",
    ['model', 'engine'],
  );
  readonly #engineGap = this.#registry.histogram(
    'engine_gap_seconds',
    'Idle time of the engine before a batch that was ready.',
    ['model'],
    stageSeconds,
  );
  readonly #refusals = this.#registry.counter(
    'refusals_total',
    'Requests, or images of one with several, refused for want of room or time, by the bound that they hit.',
    ['bound'],
  );
  readonly #restarts = this.#registry.counter(
    'engine_restarts_total',
    'Engines that ended by themselves, or failed their probe, and were replaced.',
    ['model', 'engine'],
  );
  readonly #inflight = new Map<Transport, () => number>();
  #readReady = (): boolean => false;
  #readQueue = (): QueuedViews => ({ admitted: 0, queued: 0 });
  readonly #held = new Map<HeldFor, () => number>();
  #readModels = (): readonly ServedModelInfo[] => [];
  readonly #engines = new Map<string, () => readonly ObservedEngine[]>();

  /** `version` is the package's version, for `siglip_hd_build_info`. */
  constructor(version = 'unknown') {
    // A counter that starts with its first increment shows no rate until the second.
    for (const bound of bounds) this.#refusals.inc({ bound }, 0);
    this.#addInfo(version);
    this.#addGauges();
  }

  /** Counts a request that has been answered or whose client has left. */
  observeRequest(request: {
    readonly transport: Transport;
    readonly endpoint: string;
    readonly code: Outcome;
    readonly durationMs: number;
    /** The name of its API key. */
    readonly caller?: string | undefined;
  }): void {
    const { transport, endpoint, code, durationMs, caller } = request;
    const labels = { transport, endpoint, code };
    this.#requests.inc(caller === undefined ? labels : { transport, endpoint, code, caller });
    this.#requestDuration.observe({ transport, endpoint }, durationMs / 1000);
  }

  /** Records the stages of a successful encode. */
  observeStages({ decodeMs, viewsMs, queueMs, engineMs, assembleMs }: StageTimings, model: string): void {
    this.#observeStage('decode', decodeMs, model);
    this.#observeStage('views', viewsMs, model);
    this.#observeStage('queue', queueMs, model);
    this.#observeStage('engine', engineMs, model);
    if (assembleMs !== undefined) this.#observeStage('assemble', assembleMs, model);
  }

  /** Counts an image by the source of its tokens. */
  observeSource(source: AnswerSource): void {
    this.#sources.inc({ source });
  }

  /** Records the time to format an answer. */
  observeWrite(writeMs: number, model: string): void {
    this.#observeStage('write', writeMs, model);
  }

  /** Records a batch that the engine has run. */
  observeBatch({ views, engineMs, gapMs, model, engine }: ObservedBatch): void {
    this.#batchViews.observe({ model }, views);
    this.#engineBusy.inc({ model, engine }, engineMs / 1000);
    if (gapMs !== undefined) this.#engineGap.observe({ model }, gapMs / 1000);
  }

  /** Counts a request that was refused for want of room or time. */
  observeRefusal(bound: Bound): void {
    this.#refusals.inc({ bound });
  }

  /** Counts an engine that ended by itself, or failed its probe, and was replaced. */
  observeRestart(model: string, engine: string): void {
    this.#restarts.inc({ model, engine });
  }

  /** Reads whether requests are accepted. */
  watchReady(read: () => boolean): void {
    this.#readReady = read;
  }

  /** Reads the models that are served. */
  watchModels(read: () => readonly ServedModelInfo[]): void {
    this.#readModels = read;
  }

  /** Reads how many views are admitted, and how many of them wait. */
  watchQueue(read: () => QueuedViews): void {
    this.#readQueue = read;
  }

  /** Reads how many bytes are held. */
  watchHeld(what: HeldFor, read: () => number): void {
    this.#held.set(what, read);
  }

  /** Reads the state of a model's engines, and how long their batches take. */
  watchEngines(model: string, read: () => readonly ObservedEngine[]): void {
    for (const { name: engine } of read()) this.#restarts.inc({ model, engine }, 0);
    this.#engines.set(model, read);
  }

  /** Reads how many requests a transport has under way. */
  watchInflight(transport: Transport, read: () => number): void {
    this.#inflight.set(transport, read);
  }

  /** The service's own metrics, without prom-client's of Node and of the process. */
  describe(): readonly DescribedMetric[] {
    return this.#registry.describe();
  }

  /** All metrics in Prometheus' text format, with its content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return await this.#registry.expose();
  }

  #observeStage(stage: string, durationMs: number, model: string): void {
    this.#stageDuration.observe({ stage, model }, durationMs / 1000);
  }

  #addInfo(version: string): void {
    this.#registry.gauge(
      'build_info',
      'Always 1; the labels say which version runs, on which Node.',
      ['version', 'node'],
      (gauge) => gauge.set({ version, node: process.versions.node }, 1),
    );
    this.#registry.gauge(
      'model_info',
      'Always 1; the labels say which models are served, and the commit on the hub that each was imported from.',
      ['model', 'digest', 'features', 'precision', 'revision'],
      (gauge) => {
        for (const { name, digest, features, precision, revision = '' } of this.#readModels()) {
          gauge.set({ model: name, digest, features, precision, revision }, 1);
        }
      },
    );
  }

  #addGauges(): void {
    this.#registry.gauge(
      'ready',
      'Whether requests are accepted: 1, or 0 while models load, during a drain, and while no engine of a model works.',
      [],
      (gauge) => gauge.set(this.#readReady() ? 1 : 0),
    );
    this.#registry.gauge(
      'views',
      'Views admitted and not yet answered, and those of them that wait for the engine.',
      ['state'],
      (gauge) => {
        const { admitted, queued } = this.#readQueue();
        gauge.set({ state: 'admitted' }, admitted);
        gauge.set({ state: 'queued' }, queued);
      },
    );
    this.#registry.gauge(
      'held_bytes',
      'Bytes held for requests whose images are not encoded yet, for tokens in the cache, and for answers from their plan until they are read.',
      ['what'],
      (gauge) => {
        for (const [what, read] of this.#held) gauge.set({ what }, read());
      },
    );
    this.#registry.gauge(
      'batch_seconds',
      'Measured time of a batch, by its views.',
      ['model', 'engine', 'views'],
      (gauge) => {
        for (const { model, engine, times } of this.#eachEngine()) {
          for (const [views, batchMs] of times) gauge.set({ model, engine, views }, batchMs / 1000);
        }
      },
    );
    this.#registry.gauge(
      'batch_limit_views',
      'The largest batch worth running now.',
      ['model', 'engine'],
      (gauge) => {
        for (const { model, engine, largest } of this.#eachEngine()) gauge.set({ model, engine }, largest);
      },
    );
    this.#registry.gauge(
      'engine_up',
      'Whether the engine takes work: 1, or 0 while it is late, being replaced, or down for good.',
      ['model', 'engine'],
      (gauge) => {
        for (const { model, engine, state } of this.#eachEngine()) {
          gauge.set({ model, engine }, state === 'up' ? 1 : 0);
        }
      },
    );
    this.#registry.gauge('inflight_requests', 'Requests under way.', ['transport'], (gauge) => {
      for (const [transport, read] of this.#inflight) gauge.set({ transport }, read());
    });
  }

  *#eachEngine(): Generator<Omit<ObservedEngine, 'name'> & Readonly<Record<'model' | 'engine', string>>> {
    for (const [model, read] of this.#engines) {
      for (const { name: engine, ...rest } of read()) yield { ...rest, model, engine };
    }
  }
}
