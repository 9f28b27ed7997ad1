import type { BatchTimes } from './batch-times.ts';
import type { Engine, EngineState } from './engine.ts';

/** One of the engines that run a model's batches, and how to use it. */
export interface PoolEngine {
  /** Its name in logs and metrics, such as `cpu#0` or `cuda:1`. */
  readonly name: string;
  readonly engine: Engine;
  /** The measured times of its batches. */
  readonly times: BatchTimes;
  /** The largest batch to run. */
  readonly largest: number;
  /** The only sizes to run, ascending from 1; any size when absent. */
  readonly sizes?: readonly number[] | undefined;
  /** Whether to always use `largest`, whatever the measured times say. */
  readonly fixed: boolean;
  /** How many batches it runs at one time; 1 when absent. One more is prepared. */
  readonly parallel?: number | undefined;
  /** Whether it takes work now; always `up` when absent. Tell the batcher of each change. */
  readonly state?: () => EngineState;
}
