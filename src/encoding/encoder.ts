import type { Logger } from 'pino';
import { Admission } from '../admission/view-budget.ts';
import { ByteRoom } from '../admission/byte-budget.ts';
import type { Caller } from '../admission/caller.ts';
import { Flights } from './single-flight.ts';
import { RedisCache } from './cache/redis-cache.ts';
import { ResultCache } from './cache/token-cache.ts';
import { encodeEach } from './image-outcomes.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import { withDeadline } from './deadline.ts';
import { allOf, ServiceError } from '../errors/service-error.ts';
import type { ModelSource } from '../model/model-source.ts';
import { sizeLimit, sizeReader } from '../image/read-size.ts';
import { createViewPool } from '../image/view-pool.ts';
import { type ServedModel, serveModel } from '../inference/served-model.ts';
import type { EngineEnd } from '../inference/supervised-engine.ts';
import type { Device } from '../inference/worker-protocol.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ensureDefaultModel } from '../model/import/default-model.ts';
import { loadModelFolder } from '../model/load-folder.ts';
import type { Model } from '../model/model.ts';
import { encodeImages, type PipelineParts, planAnswer, validate } from './encode-request.ts';
import type {
  EachRequest,
  EncodeAnswer,
  EncodeRequest,
  PlanAnswer,
  PlanRequest,
  VisualEncoder,
} from './request.ts';
import { TokenPool } from '../tokens/token-pool.ts';
import { traceBatch } from '../inference/trace-batch.ts';

export interface EncoderConfig {
  /** The first is the default; with none, the embedded default is served. */
  readonly models: readonly ModelSource[];
  readonly cacheDir: string;
  readonly device: Device;
  readonly threads: number;
  /** The batch to use; 0 has it follow from the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  /** The longest that a batch may take before the engine counts as stuck. */
  readonly engineTimeoutMs: number;
  /** What an engine's thread runs in place of ONNX Runtime: a benchmark's stand-in of known times. */
  readonly engineScript?: URL | undefined;
  readonly viewThreads: number;
  /** Images held as pixels at one time. */
  readonly decodeConcurrency: number;
  readonly maxPixels: number;
  /** Of all images held as pixels at one time. */
  readonly maxRasterBytes: number;
  readonly maxQueuedViews: number;
  readonly maxAnswerBytes: number;
  /** Of tokens that are kept for the next request of the same image; 0 keeps none. */
  readonly cacheBytes: number;
  /** Whether what one caller had encoded may answer another. */
  readonly shareCache: boolean;
  /** Tokens that several services share; none when absent. */
  readonly redisUrl?: string | undefined;
  readonly redisTimeoutMs?: number;
  readonly redisKeepMs?: number;
  /** Of answers that are made and not yet read. */
  readonly maxUnreadBytes: number;
  /** The served model that TeacherEncode uses where a request names none; the default when absent. */
  readonly teacher?: string | undefined;
  readonly requestTimeoutMs: number;
  /** Those who share its room; nobody in particular when absent. */
  readonly callers?: () => readonly Caller[];
}

/** The part of the metrics that an encoder writes. */
export type EncoderMetrics = Pick<
  Metrics,
  | 'observeBatch'
  | 'observeRestart'
  | 'observeStages'
  | 'observeSource'
  | 'observeRefusal'
  | 'watchQueue'
  | 'watchHeld'
  | 'watchBatches'
>;

interface EncoderParts extends PipelineParts {
  readonly tokenPool: TokenPool;
  readonly served: readonly ServedModel[];
}

/** The use case under both transports, with its engines and pools. */
export class Encoder implements VisualEncoder {
  readonly #parts: EncoderParts;
  readonly #metrics: EncoderMetrics;
  readonly #requestTimeoutMs: number;
  readonly #down: { error?: ServiceError };
  #draining = false;

  private constructor(
    parts: EncoderParts,
    metrics: EncoderMetrics,
    requestTimeoutMs: number,
    down: { error?: ServiceError },
  ) {
    this.#parts = parts;
    this.#metrics = metrics;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#down = down;
  }

  /**
   * Loads the models, starts and warms their engines. Rejects with `invalid_argument` for a folder that is not a
   * model folder, `failed_precondition` for a device that cannot be used. `onDown` is told of an engine that ends.
   */
  static async open(
    config: EncoderConfig,
    metrics: EncoderMetrics,
    logger: Logger,
    onDown: (end: EngineEnd) => void,
  ): Promise<Encoder> {
    const models = await loadModels(config);
    const down: { error?: ServiceError } = {};
    const onThreadError = (error: unknown) => logger.error({ err: error }, 'a pool thread died');
    const tokenPool = new TokenPool(2, { onThreadError });
    const viewPool = createViewPool({
      threads: config.viewThreads,
      images: config.decodeConcurrency,
      maxPixels: config.maxPixels,
      rasterBytes: config.maxRasterBytes,
      onThreadError,
    });
    const served: ServedModel[] = [];
    try {
      for (const model of models) {
        const { name, digest, features, precision, trained } = model;
        logger.info({ model: name, digest, features, precision, trained }, 'loading the model');
        if (!trained) {
          logger.warn({ model: name }, 'this model has random weights: it shows the interface, not vision');
        }
        const one = await serveModel(model, {
          ...config,
          split: (tokens, views) => tokenPool.split(tokens, views),
          observe: (batch) => {
            metrics.observeBatch({ model: name, ...batch });
            traceBatch(name, batch);
          },
          onReplace: (error) => {
            metrics.observeRestart(name);
            logger.error({ model: name, err: error.cause }, 'the engine ended by itself; another is started');
          },
          onDown: (end, error) => {
            down.error = error;
            logger.fatal(
              { model: name, err: error.cause },
              `the engine is ${end === 'stuck' ? 'stuck' : 'down'}`,
            );
            onDown(end);
          },
        });
        served.push(one);
        metrics.watchBatches(name, () => ({ times: one.times.entries(), largest: one.batcher.largest }));
        const measured = one.times.entries().map(([views, batchMs]) => `${views}: ${batchMs.toFixed(1)} ms`);
        logger.info(
          { model: name, batch: one.batcher.largest, times: measured.join(', ') },
          'the model is warm',
        );
      }
    } catch (error) {
      await Promise.all([viewPool.close(), tokenPool.close(), ...served.map((one) => one.close())]);
      throw error;
    }
    const admission = new Admission({
      maxViews: config.maxQueuedViews,
      ...(config.callers === undefined ? {} : { callers: config.callers }),
      workMs: (views) => Math.max(...served.map(({ batcher }) => batcher.workMs(views))),
    });
    metrics.watchQueue(() => ({
      admitted: admission.admittedViews,
      queued: served.reduce((views, { batcher }) => views + batcher.queued, 0),
    }));
    const secondLevel = openSecondLevel(config, logger);
    const requireSize = sizeLimit(config.maxPixels);
    const parts: EncoderParts = {
      served,
      cache: new ResultCache(config.cacheBytes),
      ...(secondLevel === undefined ? {} : { secondLevel }),
      shareCache: config.shareCache,
      flights: new Flights(),
      answers: new ByteRoom({
        maxBytes: config.maxUnreadBytes,
        largestBytes: config.maxAnswerBytes,
        callers: config.callers,
        full: () =>
          new ServiceError(
            'overloaded',
            'Callers have yet to read as many answers as the service holds; try again later.',
            { bound: 'unread_bytes' },
          ),
      }),
      ...(config.teacher === undefined ? {} : { teacher: config.teacher }),
      admission,
      maxAnswerBytes: config.maxAnswerBytes,
      readSize: sizeReader(requireSize),
      requireSize,
      viewPool,
      tokenPool,
      now: () => performance.now(),
    };
    metrics.watchHeld('cache', () => parts.cache.heldBytes);
    metrics.watchHeld('unread', () => parts.answers.heldBytes);
    return new Encoder(parts, metrics, config.requestTimeoutMs, down);
  }

  encodeEach(request: EachRequest): readonly Promise<ImageOutcome<EncodeAnswer>>[] {
    return encodeEach(this, request);
  }

  async encode(request: EncodeRequest): Promise<EncodeAnswer> {
    const startedAt = this.#parts.now();
    const { deadlineAt: asked = Number.POSITIVE_INFINITY } = request.terms ?? {};
    const deadlineAt = Math.min(startedAt + this.#requestTimeoutMs, asked);
    const limitMs = Math.max(0, Math.round(deadlineAt - startedAt));
    const answer = await withDeadline(request.signal, limitMs, (signal) =>
      encodeImages(this.#parts, { ...request, signal }, deadlineAt),
    ).catch((thrown: unknown) => {
      const { bound } = ServiceError.from(thrown);
      if (bound !== undefined) this.#metrics.observeRefusal(bound);
      throw thrown;
    });
    for (const source of answer.sources) this.#metrics.observeSource(source);
    if (answer.sources.includes('miss')) this.#metrics.observeStages(answer.timings);
    return answer;
  }

  plan(request: PlanRequest): PlanAnswer {
    return planAnswer(this.#parts, request);
  }

  validate(asked: Pick<EncodeRequest, 'recipe' | 'options'>): void {
    validate(this.#parts, asked);
  }

  /** When to come back, where there is no room now. */
  retryAfterMs(): number {
    return this.#parts.admission.retryAfterMs();
  }

  models(): readonly Model[] {
    return this.#parts.served.map(({ model }) => model);
  }

  ready(): boolean {
    return !this.#draining && this.#down.error === undefined && this.#parts.served.every((one) => one.isUp());
  }

  /** Readiness goes false; requests are still answered. */
  drain(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    const { served, viewPool, tokenPool, secondLevel } = this.#parts;
    await Promise.all([
      viewPool.close(),
      tokenPool.close(),
      secondLevel?.close(),
      ...served.map((one) => one.close()),
    ]);
  }
}

function openSecondLevel(
  { redisUrl: url, redisTimeoutMs: timeoutMs = 50, redisKeepMs: keepMs = 86_400_000 }: EncoderConfig,
  logger: Logger,
): RedisCache | undefined {
  return url === undefined ? undefined : new RedisCache({ url, timeoutMs, keepMs, logger });
}

/** The models of all folders; what is wrong with any of them is told at once. */
async function loadModels({ models, cacheDir }: EncoderConfig): Promise<Model[]> {
  if (models.length === 0) return [await ensureDefaultModel(cacheDir)];
  return await allOf(models.map(({ name, folder }) => loadModelFolder(folder, name)));
}
