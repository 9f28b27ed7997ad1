import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newlineFile } from '../model/graph-io.ts';
import type { Model } from '../model/model.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';
import type { EngineState } from './engine.ts';
import { type EngineWork, encoderWork, projectorWork, requireDevice } from './engine-work.ts';
import { type EngineOptions, startEngines } from './start-engines.ts';

/** An engine as logs, metrics and probes report it. */
export interface EngineStatus {
  readonly name: string;
  readonly state: EngineState;
  /** [views, milliseconds] of every measured batch size. */
  readonly times: readonly (readonly [views: number, batchMs: number])[];
  /** The largest batch worth running now. */
  readonly largest: number;
}

/** A model that is ready to serve, with its running engines and the batcher that feeds them. */
export interface ServedModel {
  readonly model: Model;
  readonly batcher: Batcher;
  /** Present if the model has one. */
  readonly projector?: ServedProjector | undefined;
  /** Its engines, without those of the projector. */
  engines(): readonly EngineStatus[];
  /** Whether an engine of it works now, and one of its projector. */
  isUp(): boolean;
  close(): Promise<void>;
}

/** A model's projector by itself, for features that are assembled before they are projected. */
export interface ServedProjector {
  /** Takes float32 features in place of views; its outputs are embeddings under the names of features. */
  readonly batcher: Batcher;
  /** The newline row, float32; absent if the projector has none. */
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
  close(): Promise<void>;
}

export interface ServeModelOptions
  extends EngineOptions,
    Required<Pick<BatcherOptions, 'split' | 'observe'>> {
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
}

/**
 * Starts a model's engines, measures their batches and starts its projector. Rejects with `failed_precondition` when they
 * cannot be used.
 */
export async function serveModel(model: Model, options: ServeModelOptions): Promise<ServedModel> {
  const { split, observe, maxBatch, device, remote } = options;
  if (remote === undefined) requireDevice(model, device);
  const { batcher, close } = await startBatcher(encoderWork(model, maxBatch), options, { split, observe });
  const projector = await serveProjector(model, options).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    model,
    batcher,
    projector,
    engines: () =>
      batcher.lanes.map(({ pooled: { name, times }, state, largest }) => ({
        name,
        state,
        times: times.entries(),
        largest,
      })),
    isUp: () => isWorking(batcher) && (projector === undefined || isWorking(projector.batcher)),
    async close() {
      await Promise.all([close(), projector?.close()]);
    },
  };
}

/** Starts a model's projector on engines of its own, as many as the model has; undefined if the model has none. */
async function serveProjector(model: Model, options: EngineOptions): Promise<ServedProjector | undefined> {
  const { folder, projector } = model;
  if (projector === undefined) return undefined;
  const newline = projector.newline ? Uint8Array.from(await readFile(join(folder, newlineFile))) : undefined;
  const work = projectorWork(model, projector);
  return { newline, ...(await startBatcher(work, options, { split: async (tokens) => [tokens] })) };
}

/** Starts engines, and the batcher that feeds them. */
async function startBatcher(
  work: EngineWork,
  options: EngineOptions,
  batching: Pick<BatcherOptions, 'split' | 'observe'>,
): Promise<{ readonly batcher: Batcher; readonly close: () => Promise<void> }> {
  let batcher: Batcher | undefined;
  const engines = await startEngines(work, options, () => batcher?.engineChanged());
  batcher = new Batcher({ engines, now: () => performance.now(), ...batching });
  const close = async (): Promise<void> => {
    await Promise.all(engines.map(({ engine }) => engine.close()));
  };
  return { batcher, close };
}

/** Whether an engine works. One that is late may only be slow, and if all are, there is nothing better. */
function isWorking({ lanes }: Batcher): boolean {
  return lanes.some(({ state }) => state === 'up' || state === 'late');
}
