import { setTimeout as wait } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.ts';
import { fixedSizes } from './batch-policy.ts';
import { BatchTimes } from './batch-times.ts';
import { type Devices, type EnginePlace, enginePlaces } from './devices.ts';
import type { EngineEnd } from './engine-loss.ts';
import type { EngineWork } from './engine-work.ts';
import type { PoolEngine } from './pool-engine.ts';
import { type RemoteEngines, type RemoteReports, startRemoteEngines } from './remote/start-remote-engines.ts';
import { SupervisedEngine, type SupervisedEngineOptions } from './supervised-engine.ts';
import { warmUp, widestThatRuns } from './warm-up.ts';
import { WorkerEngine } from './worker-engine.ts';

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
  /** How long to measure an engine's batches. */
  readonly warmUpMs: number;
  /** When it fires, the measuring stops and the start rejects. */
  readonly stopping?: AbortSignal | undefined;
  /** The servers that run the model in place of engines of this process, and who is told of them. */
  readonly remote?: (RemoteEngines & RemoteReports) | undefined;
}

/**
 * Starts all engines at the same time, and measures the batches of each while the others run theirs. Rejects with
 * `failed_precondition` when the graphs or a device cannot be used, and leaves no engine running. `onChange` is called
 * when an engine's state changes.
 */
export async function startEngines(
  work: EngineWork,
  options: EngineOptions,
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  const { remote, device, engines, warmUpMs, stopping } = options;
  if (remote !== undefined) return await startRemoteEngines(work, remote, options, onChange);
  const places = enginePlaces(device, engines);
  let left = places.length;
  const started: SupervisedEngine[] = [];
  const outcomes = await Promise.allSettled(
    places.map(async (place): Promise<PoolEngine> => {
      const name = `${work.prefix}${place.name}`;
      const times = new BatchTimes();
      const engine = await startEngine(work, place, times, options, {
        onReplace: (error) => options.onReplace(name, error),
        onLate: () => options.onLate(name),
        onDown: (end, error) => options.onEnd(name, end, error, --left),
        onChange,
      });
      started.push(engine);
      const onGpu = place.device.kind === 'cuda';
      const largest = onGpu ? await widest(engine, { ...work, stopping }) : work.largest;
      await warmUp(engine, times, { ...work, largest, stopping, budgetMs: warmUpMs });
      const sizes = onGpu ? fixedSizes(largest) : undefined;
      return { name, engine, times, largest, sizes, fixed: work.fixed, state: () => engine.state };
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
  { device }: EnginePlace,
  times: BatchTimes,
  { threads, shareWeights: sharesWeights, engineScript, engineTimeoutMs }: EngineOptions,
  reports: Pick<SupervisedEngineOptions, 'onReplace' | 'onLate' | 'onDown' | 'onChange'>,
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
    wait,
    ...reports,
  });
  startMs = performance.now() - startedAt;
  return engine;
}

/** The largest batch that fits into a GPU's memory. Throws `failed_precondition` if a fixed size does not. */
async function widest(
  engine: SupervisedEngine,
  work: EngineWork & Pick<EngineOptions, 'stopping'>,
): Promise<number> {
  const runs = await widestThatRuns(engine, work);
  const { model, largest, fixed } = work;
  if (runs === largest || !fixed) return runs;
  throw new ServiceError(
    'failed_precondition',
    `The model "${model}" cannot run ${largest} views at once on this device, only ${runs}: set --max-batch to ${runs} or leave it out.`,
  );
}
