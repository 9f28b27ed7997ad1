import { setTimeout as wait } from 'node:timers/promises';
import type { ServiceError } from '../errors/service-error.ts';
import type { BatchTimes } from './batch-times.ts';
import { type EngineEnd, SupervisedEngine } from './supervised-engine.ts';
import { WorkerEngine } from './worker-engine.ts';
import type { Device, WorkerStart } from './worker-protocol.ts';

/** How engines run, and who is told of their ends. */
export interface EngineOptions {
  readonly device: Device;
  readonly threads: number;
  /** The script of the engine's thread; ONNX Runtime when absent. */
  readonly engineScript?: URL | undefined;
  /** After this time, or ten times the batch's measured time if longer, the engine counts as stuck. */
  readonly engineTimeoutMs: number;
  /** Called for each engine that ends unexpectedly and is replaced. */
  readonly onReplace: (error: ServiceError) => void;
  /** Called once when the engine is down for good. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
}

/** What an engine runs. */
export interface EngineWork extends Pick<WorkerStart, 'folder' | 'graphs' | 'input'> {
  /** A view that any working engine can run. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
  /** What is known of its batches' times. */
  readonly times: BatchTimes;
}

/** Starts a supervised engine. Rejects with `failed_precondition` when the graphs or the device cannot be used. */
export async function startEngine(
  { folder, graphs, input, probe, times }: EngineWork,
  { device, threads, engineScript, engineTimeoutMs, onReplace, onDown }: EngineOptions,
): Promise<SupervisedEngine> {
  /** The limit for batches whose time is not known yet. */
  const unknownMs = 10 * engineTimeoutMs;
  const startedAt = performance.now();
  let startMs = 0;
  const engine = await SupervisedEngine.start({
    start: (onEnd) => WorkerEngine.start({ folder, graphs, device, threads, input }, onEnd, engineScript),
    limitMs: (views) => {
      const measuredMs = times.estimateMs(views);
      return measuredMs === undefined ? unknownMs : Math.max(engineTimeoutMs, 10 * measuredMs);
    },
    firstLimitMs: unknownMs,
    // The first start shows how long a start takes.
    replaceLimitMs: () => engineTimeoutMs + 10 * startMs,
    probe,
    onReplace,
    onDown,
    wait,
  });
  startMs = performance.now() - startedAt;
  return engine;
}
