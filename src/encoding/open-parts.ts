import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import { Budget } from '../admission/budget.ts';
import { Slots } from '../admission/slots.ts';
import { ViewBudget } from '../admission/view-budget.ts';
import { allOf, ServiceError } from '../errors/service-error.ts';
import { sizeLimit, sizeReader } from '../image/read-size.ts';
import { createViewPool } from '../image/view-pool.ts';
import { enginePlaces } from '../inference/devices.ts';
import { readAccess } from '../inference/remote/access.ts';
import { engineNames } from '../inference/remote/start-remote-engines.ts';
import { type EngineStatus, type ServedModel, serveModel } from '../inference/served-model.ts';
import { traceBatch } from '../inference/trace-batch.ts';
import { ensureEmbeddedModel } from '../model/import/embedded-models.ts';
import { loadModelFolder, readModelFolder } from '../model/load-folder.ts';
import { type ModelSource, servedName } from '../model/model-source.ts';
import { embeddedNames, type Model } from '../model/model.ts';
import { requireAddressSpace } from '../threads/address-space.ts';
import { TokenPool } from '../tokens/token-pool.ts';
import type { RemoteCache } from './cache/remote-cache.ts';
import { TokenCache } from './cache/token-cache.ts';
import type { EncoderConfig } from './encoder-config.ts';
import type { EncoderObserver, EncoderReports } from './encoder-observer.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import { endpointsOf, logLate, remoteOf } from './remote-reports.ts';
import { SingleFlight } from './single-flight.ts';

const tokenThreads = 2;

/** The parts of an open encoder, which must close them. */
export interface OpenParts extends EncodingParts {
  readonly served: readonly ServedModel[];
  readonly tokenPool: TokenPool;
  /** Whether the last engine of a model is down for good. */
  readonly isDown: () => boolean;
}

/**
 * Loads the models, then starts and warms up their engines. Rejects with `invalid_argument` for a folder that is not a
 * model folder, and `failed_precondition` for a device that cannot be used or an address space that is too small.
 */
export async function openParts(config: EncoderConfig, reports: EncoderReports): Promise<OpenParts> {
  const { observer, logger, onLoss } = reports;
  const enginesEach = enginePlaces(config.device, config.engines).length;
  // A start with files that cannot be used fails here. Each connection reads them again.
  if (config.remote !== undefined) await readAccess(config.remote.access);
  const connectCache = await loadRemoteCache(config, logger);
  const models = await loadModels(config, logger);
  requireAddressSpace(config.viewThreads + tokenThreads, engineThreads(models, config));
  const onThreadError = (error: unknown) => logger.error({ err: error }, 'a pool thread died');
  const tokenPool = new TokenPool(tokenThreads, { onThreadError });
  const viewPool = createViewPool({
    threads: config.viewThreads,
    images: config.decodeConcurrency,
    maxPixels: config.maxPixels,
    rasterBytes: config.maxRasterBytes,
    onThreadError,
  });
  let isDown = false;
  const reportsOfEngines: EncoderReports = {
    ...reports,
    onLoss(loss) {
      isDown ||= loss.isLast;
      onLoss(loss);
    },
  };
  const slots = new Slots(modelsAtOnce(config, enginesEach));
  const failing = new AbortController();
  const stopping = AbortSignal.any([
    failing.signal,
    ...(config.stopping === undefined ? [] : [config.stopping]),
  ]);
  const start = (model: Model) => startModel(model, { ...config, stopping }, tokenPool, reportsOfEngines);
  const started = await Promise.allSettled(
    models.map(async (model) => {
      // A model on servers may wait for them for a long time, and takes no core.
      const isRemote = endpointsOf(config.remote, model.name).length > 0;
      try {
        return await (isRemote ? start(model) : slots.run(stopping, () => start(model)));
      } catch (error) {
        failing.abort(error);
        throw error;
      }
    }),
  );
  const served = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all([viewPool.close(), tokenPool.close(), ...served.map((one) => one.close())]);
    throw failing.signal.reason;
  }
  const pools = { viewPool, tokenPool, remoteCache: connectCache() };
  const parts: OpenParts = { ...limitsOf(config, served), served, ...pools, isDown: () => isDown };
  watch(observer, parts);
  return parts;
}

/** How many threads the models' engines take. A projector takes as many as its model. */
export function engineThreads(
  models: readonly Pick<Model, 'name' | 'projector'>[],
  { device, engines, remote }: Pick<EncoderConfig, 'device' | 'engines' | 'remote'>,
): number {
  let threads = 0;
  for (const { name, projector } of models) {
    const servers = endpointsOf(remote, name).length;
    threads +=
      (servers > 0 ? servers : enginePlaces(device, engines).length) * (projector === undefined ? 1 : 2);
  }
  return threads;
}

/** How many models can be measured side by side: each engine with cores of its own, and one core for the main thread. */
function modelsAtOnce({ device, threads }: EncoderConfig, enginesEach: number): number {
  if (device.kind === 'cuda') return 1;
  return Math.max(1, Math.floor((availableParallelism() - 1) / (threads * enginesEach)));
}

/** Loads the models of all folders, and reports all faults at once. */
async function loadModels(config: EncoderConfig, logger: Logger): Promise<Model[]> {
  const { models, remote } = config;
  // A model on servers needs no weights here.
  const load = (source: ModelSource) =>
    endpointsOf(remote, servedName(source)).length > 0 ? readModelFolder : loadModelFolder;
  if (models.length > 0) return await allOf(models.map((one) => load(one)(one.folder, one.name)));
  return await loadEmbedded(config, logger);
}

async function loadEmbedded(
  { cacheDir, embedded = embeddedNames }: EncoderConfig,
  logger: Logger,
): Promise<Model[]> {
  if (cacheDir === undefined) {
    throw new ServiceError(
      'failed_precondition',
      'There is no home directory to keep the embedded models in: set --cache-dir, or give a model folder with --model.',
    );
  }
  logger.warn(
    { models: embedded },
    'no --model is set: using small embedded models, trained on synthetic documents. They are for trying things out, ' +
      'and no substitute for SigLIP-HD (weights/README.md)',
  );
  const models: Model[] = [];
  for (const name of embedded) models.push(await ensureEmbeddedModel(name, cacheDir));
  return models;
}

/** Starts a model's engines and measures their batches. */
async function startModel(
  model: Model,
  config: EncoderConfig,
  tokenPool: TokenPool,
  reports: EncoderReports,
): Promise<ServedModel> {
  const { observer, logger, onLoss } = reports;
  const { name, digest, features, precision, trained, projector } = model;
  const described = { digest, features, projector: projector?.family, precision, trained };
  logger.info({ model: name, ...described }, 'loading the model');
  if (!trained) {
    logger.warn({ model: name }, 'this model has random weights: it shows the interface, not vision');
  }
  const remote = remoteOf(config, name, reports);
  // Metrics show them while the start waits for the first that works.
  if (remote !== undefined)
    observer.watchEngines?.(name, () => engineNames(remote.endpoints).map(unconnected));
  const served = await serveModel(model, {
    ...config,
    remote,
    split: (tokens, views) => tokenPool.split(tokens, views),
    observe: (batch) => {
      const { engine, views, engineMs, gapMs } = batch;
      observer.observeBatch?.({ model: name, engine, views, engineMs, gapMs });
      traceBatch(name, batch);
    },
    onReplace: (engine, error) => {
      observer.observeRestart?.(name, engine);
      const err = error.cause ?? error;
      logger.error({ model: name, engine, err }, 'the engine ended or is faulty; starting another');
    },
    // Only worth a log line if another engine can take over.
    onLate: (engine) => {
      if (enginePlaces(config.device, config.engines).length > 1) logLate(logger, name, engine);
    },
    onEnd: (engine, end, error, left) => {
      const isLast = left === 0;
      const fields = { model: name, engine, enginesLeft: left, err: error.cause };
      logger[isLast ? 'fatal' : 'error'](fields, `the engine is ${end === 'stuck' ? 'stuck' : 'down'}`);
      onLoss({ end, isLast });
    },
  });
  observer.watchEngines?.(name, () => served.engines());
  for (const { name: engine, times, largest } of served.engines()) {
    // A server that has not worked yet has no times.
    if (times.length === 0) continue;
    const measured = times.map(([views, batchMs]) => `${views}: ${batchMs.toFixed(1)} ms`);
    const fields = { model: name, engine, batch: largest, times: measured.join(', ') };
    logger.info(fields, 'the model is warm');
  }
  return served;
}

/** A remote engine before its first connection. */
function unconnected(name: string): EngineStatus {
  return { name, state: 'down', times: [], largest: 1 };
}

/**
 * Loads the Redis client, some 400 files, only for a service that has a Redis. Returns what connects it: a load that fails
 * must do so before any engine runs.
 */
async function loadRemoteCache(
  { redisUrl: url, redisTimeoutMs: timeoutMs = 50, redisKeepMs: keepMs = 86_400_000 }: EncoderConfig,
  logger: Logger,
): Promise<() => RemoteCache | undefined> {
  if (url === undefined) return () => undefined;
  const { RedisCache } = await import('./cache/redis-cache.ts');
  return () => new RedisCache({ url, timeoutMs, keepMs, logger });
}

/** The caches, budgets and limits that the configuration sets. */
function limitsOf(config: EncoderConfig, served: readonly ServedModel[]) {
  const { callers, maxAnswerBytes } = config;
  const requireSize = sizeLimit(config.maxPixels);
  return {
    teacher: config.teacher,
    cache: new TokenCache(config.cacheBytes),
    shareCache: config.shareCache,
    flights: new SingleFlight<EncodedImage>(),
    viewBudget: new ViewBudget({
      maxViews: config.maxQueuedViews,
      callers,
      workMs: (views) => Math.max(...served.map(({ batcher }) => batcher.workMs(views))),
    }),
    answerBudget: new Budget({
      limit: config.maxUnreadBytes,
      largest: maxAnswerBytes,
      callers,
      full: () =>
        new ServiceError('overloaded', 'Too many answers are waiting to be read; try again later.', {
          bound: 'unread_bytes',
        }),
    }),
    maxAnswerBytes,
    readSize: sizeReader(requireSize),
    requireSize,
    now: () => performance.now(),
  };
}

function watch(observer: EncoderObserver, { viewBudget, served, cache, answerBudget }: OpenParts): void {
  observer.watchQueue?.(() => ({
    admitted: viewBudget.admitted,
    queued: served.reduce((views, { batcher }) => views + batcher.queued, 0),
  }));
  observer.watchHeld?.('cache', () => cache.sizeBytes);
  observer.watchHeld?.('unread', () => answerBudget.held);
}
