import { setTimeout as wait } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.ts';
import { graphFile } from '../model/graph-io.ts';
import type { Model, ModelPrecision } from '../model/model.ts';
import { fixedSizes } from './batch-policy.ts';
import { BatchTimes } from './batch-times.ts';
import { Batcher, type BatcherOptions, type RunBatch } from './batcher.ts';
import { blackView, warmUp, widestThatRuns } from './warm-up.ts';
import { type EngineEnd, SupervisedEngine } from './supervised-engine.ts';
import { WorkerEngine } from './worker-engine.ts';
import type { Device } from './worker-protocol.ts';

/** A model that is ready to serve, with its running engine and the batcher that feeds it. */
export interface ServedModel {
  readonly model: Model;
  readonly batcher: Batcher;
  /** The times of its batches, measured at warm-up and learned since. */
  readonly times: BatchTimes;
  /** Whether its engine accepts work now. */
  isUp(): boolean;
  close(): Promise<void>;
}

export interface ServeModelOptions {
  readonly device: Device;
  readonly threads: number;
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  /** The script of the engine's thread; ONNX Runtime when absent. */
  readonly engineScript?: URL | undefined;
  readonly split: BatcherOptions['split'];
  readonly observe: (batch: RunBatch) => void;
  /** After this time, or ten times the batch's measured time if longer, the engine counts as stuck. */
  readonly engineTimeoutMs: number;
  /** Called for each engine that ends unexpectedly and is replaced. */
  readonly onReplace: (error: ServiceError) => void;
  /** Called once when the engine is down for good. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
}

/** The largest batch that is chosen by measured times. */
const largestLearned = 32;

/** Precisions that may quantise the activations of a whole batch with one scale. */
const oneByOne: ReadonlySet<ModelPrecision> = new Set(['int8', 'exported']);

/**
 * Starts a model's engine and measures its batches. Rejects with `failed_precondition` when it cannot be used. A model
 * that quantises activations runs one view at a time; in a batch, a view's tokens would depend on the other views.
 */
export async function serveModel(model: Model, options: ServeModelOptions): Promise<ServedModel> {
  const { device, threads, maxBatch, warmUpMs, engineScript, split, observe } = options;
  requireDevice(model, device);
  const times = new BatchTimes();
  const { folder, graphs = [graphFile], imageSize } = model;
  const now = () => performance.now();
  const startedAt = now();
  /** The limit for batches whose time is not known yet. */
  const unknownMs = 10 * options.engineTimeoutMs;
  let startMs = 0;
  const engine = await SupervisedEngine.start({
    start: (onEnd) => WorkerEngine.start({ folder, graphs, device, threads, imageSize }, onEnd, engineScript),
    limitMs: (views) => {
      const measuredMs = times.estimateMs(views);
      return measuredMs === undefined ? unknownMs : Math.max(options.engineTimeoutMs, 10 * measuredMs);
    },
    firstLimitMs: unknownMs,
    // The first start shows how long a start takes.
    replaceLimitMs: () => options.engineTimeoutMs + 10 * startMs,
    probe: () => blackView(imageSize),
    onReplace: options.onReplace,
    onDown: options.onDown,
    wait,
  });
  startMs = now() - startedAt;
  const widest = maxBatch === 0 ? largestLearned : maxBatch;
  let largest = oneByOne.has(model.precision) ? 1 : widest;
  const onGpu = device.kind === 'cuda';
  try {
    if (onGpu) {
      const runs = await widestThatRuns(engine, largest, imageSize);
      if (runs < largest && maxBatch !== 0) throw tooWide(model, maxBatch, runs);
      largest = runs;
    }
    await warmUp(engine, times, { imageSize, largest, budgetMs: warmUpMs, now });
  } catch (error) {
    await engine.close();
    throw error;
  }
  const batcher = new Batcher({
    engine,
    times,
    largest,
    sizes: onGpu ? fixedSizes(largest) : undefined,
    fixed: maxBatch !== 0,
    split,
    now,
    observe,
  });
  return { model, batcher, times, isUp: () => engine.isUp, close: () => engine.close() };
}

function tooWide({ name }: Model, maxBatch: number, runs: number): ServiceError {
  return new ServiceError(
    'failed_precondition',
    `The model "${name}" cannot run ${maxBatch} views at once on this device, only ${runs}: set --max-batch to ${runs} or leave it out.`,
  );
}

function requireDevice({ name, precision }: Model, { kind }: Device): void {
  if (precision !== 'int8' || kind === 'cpu') return;
  throw new ServiceError(
    'failed_precondition',
    `The model "${name}" is int8, which only runs on a CPU; use --device cpu or import it with --precision fp16.`,
  );
}
