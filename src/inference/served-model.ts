import type { Model } from '../model/model.ts';
import { Batcher, type BatcherOptions, type RunBatch } from './batcher.ts';
import type { EngineState } from './engine.ts';
import { encoderWork, requireDevice } from './engine-work.ts';
import { type ServedProjector, serveProjector } from './served-projector.ts';
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

export interface ServeModelOptions extends EngineOptions {
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
  readonly split: BatcherOptions['split'];
  readonly observe: (batch: RunBatch) => void;
}

/**
 * Starts a model's engines, measures their batches and starts its projector. Rejects with `failed_precondition` when they
 * cannot be used.
 */
export async function serveModel(model: Model, options: ServeModelOptions): Promise<ServedModel> {
  const { split, observe, maxBatch, device, remote } = options;
  if (remote === undefined) requireDevice(model, device);
  let batcher: Batcher | undefined;
  const engines = await startEngines(encoderWork(model, maxBatch), options, () => batcher?.engineChanged());
  const closeAll = () => Promise.all(engines.map(({ engine }) => engine.close()));
  let projector: ServedProjector | undefined;
  try {
    projector = await serveProjector(model, options);
  } catch (error) {
    await closeAll();
    throw error;
  }
  batcher = new Batcher({ engines, split, now: () => performance.now(), observe });
  const { lanes } = batcher;
  return {
    model,
    batcher,
    projector,
    engines: () =>
      lanes.map(({ pooled: { name, times }, state, largest }) => ({
        name,
        state,
        times: times.entries(),
        largest,
      })),
    isUp: () => isWorking(batcher) && (projector === undefined || isWorking(projector.batcher)),
    async close() {
      await Promise.all([closeAll(), projector?.close()]);
    },
  };
}

/** Whether an engine works. One that is late may only be slow, and if all are, there is nothing better. */
function isWorking({ lanes }: Batcher): boolean {
  return lanes.some(({ state }) => state === 'up' || state === 'late');
}
