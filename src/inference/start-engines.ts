import { setTimeout as wait } from 'node:timers/promises';
import type { ServiceError } from '../errors/service-error.ts';
import { BatchTimes } from './batch-times.ts';
import { type Devices, type EnginePlace, enginePlaces } from './devices.ts';
import type { EngineEnd } from './engine-loss.ts';
import { SupervisedEngine } from './supervised-engine.ts';
import { WorkerEngine } from './worker-engine.ts';
import type { WorkerStart } from './worker-protocol.ts';

/** Receives what happens to the engines of a model, by their names. */
export interface EngineReports {
  /** An engine ended unexpectedly, or failed its probe, and is replaced. */
  readonly onReplace: (engine: string, error: ServiceError) => void;
  /** A batch takes much longer than expected. */
  readonly onLate: (engine: string) => void;
  /** An engine is down for good; `left` others may still work. */
  readonly onEnd: (engine: string, end: EngineEnd, error: ServiceError, left: number) => void;
}

/** How engines run. */
export interface EngineOptions extends EngineReports {
  readonly device: Devices;
  /** Engines on each device. */
  readonly engines: number;
  /** Threads of one engine on a CPU. */
  readonly threads: number;
  /** Whether engines on the CPU share their weights in memory, which makes them slower. */
  readonly shareWeights?: boolean | undefined;
  /** The script of an engine's thread; ONNX Runtime when absent. */
  readonly engineScript?: URL | undefined;
  /** After this time, or ten times the batch's measured time if longer, an engine counts as stuck. */
  readonly engineTimeoutMs: number;
}

/** What an engine runs. */
export interface EngineWork extends Pick<WorkerStart, 'folder' | 'graphs' | 'input'> {
  /** A view that any working engine can run. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
}

/** An engine that has started, and the times of its batches, which are not measured yet. */
export interface StartedEngine {
  readonly name: string;
  readonly engine: SupervisedEngine;
  readonly times: BatchTimes;
}

/**
 * Starts the engines of a model, all at once, and prepares each. Rejects with `failed_precondition` when the graphs or a
 * device cannot be used. Then none is left. `onChange` is called when an engine's state changes.
 */
export async function startEngines<Prepared>(
  work: EngineWork,
  options: EngineOptions,
  onChange: () => void,
  prepare: (started: StartedEngine, place: EnginePlace) => Promise<Prepared>,
): Promise<Prepared[]> {
  const places = enginePlaces(options.device, options.engines);
  let left = places.length;
  const started: SupervisedEngine[] = [];
  const outcomes = await Promise.allSettled(
    places.map(async (place) => {
      const times = new BatchTimes();
      const engine = await startEngine(work, place, times, options, {
        onChange,
        onEnd: (end, error) => options.onEnd(place.name, end, error, --left),
      });
      started.push(engine);
      return await prepare({ name: place.name, engine, times }, place);
    }),
  );
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') {
    await Promise.all(started.map((engine) => engine.close()));
    throw failed.reason;
  }
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

async function startEngine(
  { folder, graphs, input, probe }: EngineWork,
  { name, device }: EnginePlace,
  times: BatchTimes,
  { threads, shareWeights: sharesWeights, engineScript, engineTimeoutMs, onReplace, onLate }: EngineOptions,
  reports: {
    readonly onChange: () => void;
    readonly onEnd: (end: EngineEnd, error: ServiceError) => void;
  },
): Promise<SupervisedEngine> {
  /** The limit for batches whose time is not known yet. */
  const unknownMs = 10 * engineTimeoutMs;
  const startedAt = performance.now();
  let startMs = 0;
  const engine = await SupervisedEngine.start({
    start: (onDown) =>
      WorkerEngine.start({ folder, graphs, device, threads, sharesWeights, input }, onDown, engineScript),
    limitMs: (views) => {
      const measuredMs = times.estimateMs(views);
      return measuredMs === undefined ? unknownMs : Math.max(engineTimeoutMs, 10 * measuredMs);
    },
    lateMs: (views) => times.lateMs(views),
    firstLimitMs: unknownMs,
    // The first start shows how long a start takes.
    replaceLimitMs: () => engineTimeoutMs + 10 * startMs,
    probe,
    onReplace: (error) => onReplace(name, error),
    onDown: reports.onEnd,
    onLate: () => onLate(name),
    onChange: reports.onChange,
    wait,
  });
  startMs = performance.now() - startedAt;
  return engine;
}
