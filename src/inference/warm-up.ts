import type { BatchTimes } from './batch-times.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { GraphOutput } from '../model/graph-io.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { EngineWork } from './engine-work.ts';

/** Throws `internal` unless an engine's tokens of a black view are finite, as those of any working engine are. */
export function requireFinite({ finite }: EncodedBatch, output: GraphOutput): void {
  if (finite[output]?.includes(false) !== true) return;
  throw new ServiceError('internal', 'The engine is faulty.', {
    cause: new Error('The engine gave tokens of a black view that are not finite.'),
  });
}

/** What to run: probe views, because any view takes the same time, and the largest batch to try. */
interface ProbeWork extends Pick<EngineWork, 'probe' | 'output' | 'largest'> {
  /** When it fires, no other batch is started. */
  readonly stopping?: AbortSignal | undefined;
}

export interface WarmUpOptions extends ProbeWork {
  /** No batch is started that is expected to end after this time. */
  readonly budgetMs: number;
  readonly now?: () => number;
}

/** A size runs until two runs in a row differ by at most this factor, or until it has run `mostRuns` times. */
const agreement = 1.02;
const mostRuns = 4;

/** Warm-up stops at a larger batch whose rate of views per second grows by less than this factor. */
const worthTryingLarger = 1.02;

/**
 * Runs batches of 1, 2, 4, ... probe views and records their times. It stops when a larger batch no longer pays, when
 * the next one would exceed the budget, or after `largest`. The first run of a size includes allocating memory, so it
 * only counts if the budget allows no other. The median of three times lies between any two of them, so two that agree
 * make a third unnecessary. Of two that differ, because the budget allows no third, the longer counts.
 */
export async function warmUp(
  engine: Pick<Engine, 'encode'>,
  times: BatchTimes,
  options: WarmUpOptions,
): Promise<void> {
  const { largest, budgetMs, now = () => performance.now() } = options;
  const start = now();
  const run = async (views: number) => await runProbes(engine, views, options);
  let previousRate = 0;
  for (let views = 1; ; views = Math.min(views * 2, largest)) {
    const first = (await run(views)).engineMs;
    const left = budgetMs - (now() - start);
    const repeats = Math.max(0, Math.min(mostRuns - 1, Math.floor(left / first)));
    const runs: number[] = [];
    for (let previous = first; runs.length < repeats; previous = runs.at(-1)!) {
      const { engineMs } = await run(views);
      runs.push(engineMs);
      if (Math.max(engineMs, previous) <= agreement * Math.min(engineMs, previous)) break;
    }
    const batchMs = runs.toSorted((a, b) => a - b)[runs.length >> 1] ?? first;
    times.calibrate(views, batchMs);
    const rate = views / batchMs;
    const affordable = budgetMs - (now() - start) >= 4 * batchMs;
    if (views >= largest || !affordable || rate < previousRate * worthTryingLarger) return;
    previousRate = rate;
  }
}

/**
 * Finds the largest batch that runs, and returns it. It runs before any other batch, so that a GPU's memory pool grows
 * once, to its final size. A batch that fails, for example for lack of memory, is halved. Rejects as the engine does when
 * not even one view runs.
 */
export async function widestThatRuns(engine: Pick<Engine, 'encode'>, work: ProbeWork): Promise<number> {
  for (let views = work.largest; ; views = Math.ceil(views / 2)) {
    try {
      await runProbes(engine, views, work);
      return views;
    } catch (thrown) {
      if (views === 1 || ServiceError.from(thrown).code !== 'internal') throw thrown;
    }
  }
}

async function runProbes(
  engine: Pick<Engine, 'encode'>,
  views: number,
  { probe, output, stopping }: ProbeWork,
): Promise<EncodedBatch> {
  stopping?.throwIfAborted();
  return await engine.encode(Array.from({ length: views }, probe), [output]);
}
