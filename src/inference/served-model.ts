import { ServiceError } from '../errors/service-error.ts';
import { graphFile } from '../model/graph-io.ts';
import type { Model, ModelPrecision } from '../model/model.ts';
import { fixedSizes } from './batch-policy.ts';
import { BatchTimes } from './batch-times.ts';
import { Batcher, type BatcherOptions, type RunBatch } from './batcher.ts';
import { blackView, warmUp, widestThatRuns } from './warm-up.ts';
import { type ServedProjector, serveProjector } from './served-projector.ts';
import { type EngineOptions, startEngine } from './start-engine.ts';
import type { Device } from './worker-protocol.ts';

/** A model that is ready to serve, with its running engine and the batcher that feeds it. */
export interface ServedModel {
  readonly model: Model;
  readonly batcher: Batcher;
  /** Present if the model has one. */
  readonly projector?: ServedProjector | undefined;
  /** The times of its batches, measured at warm-up and learned since. */
  readonly times: BatchTimes;
  /** Whether its engines accept work now. */
  isUp(): boolean;
  close(): Promise<void>;
}

export interface ServeModelOptions extends EngineOptions {
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  readonly split: BatcherOptions['split'];
  readonly observe: (batch: RunBatch) => void;
}

/** The largest batch that is chosen by measured times. */
const largestLearned = 32;

/** Precisions that may quantise the activations of a whole batch with one scale. */
const oneByOne: ReadonlySet<ModelPrecision> = new Set(['int8', 'exported']);

/**
 * Starts a model's engines and measures its batches. Rejects with `failed_precondition` when they cannot be used. A model
 * that quantises activations runs one view at a time; in a batch, a view's tokens would depend on the other views.
 */
export async function serveModel(model: Model, options: ServeModelOptions): Promise<ServedModel> {
  const { device, maxBatch, warmUpMs: budgetMs, split, observe } = options;
  requireDevice(model, device);
  const times = new BatchTimes();
  const { folder, graphs = [graphFile], imageSize } = model;
  const now = () => performance.now();
  const input = { kind: 'pixels', side: imageSize } as const;
  const engine = await startEngine(
    { folder, graphs, input, probe: () => blackView(imageSize), times },
    options,
  );
  const widest = maxBatch === 0 ? largestLearned : maxBatch;
  let largest = oneByOne.has(model.precision) ? 1 : widest;
  const output = model.projector === undefined ? 'float16' : 'embeddings_float16';
  const onGpu = device.kind === 'cuda';
  let projector: ServedProjector | undefined;
  try {
    if (onGpu) {
      const runs = await widestThatRuns(engine, largest, imageSize, output);
      if (runs < largest && maxBatch !== 0) throw tooWide(model, maxBatch, runs);
      largest = runs;
    }
    await warmUp(engine, times, { imageSize, output, largest, budgetMs, now });
    projector = await serveProjector(model, options);
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
  return {
    model,
    batcher,
    projector,
    times,
    isUp: () => engine.isUp && projector?.isUp() !== false,
    async close() {
      await Promise.all([engine.close(), projector?.close()]);
    },
  };
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
