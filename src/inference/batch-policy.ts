/** What the policy bases its decision on. */
export interface BatcherState {
  /** Waiting views. */
  readonly queued: number;
  /** Batches that the engine has and has not finished. */
  readonly handedOver: number;
  /** The largest batch worth running. */
  readonly largest: number;
  /** The only sizes to run, ascending from 1; any size when absent. */
  readonly sizes?: readonly number[] | undefined;
}

/** 1, 2, 4, ... and `largest`. With few sizes, a GPU's memory pool and its choice of kernels settle. */
export function fixedSizes(largest: number): number[] {
  const sizes = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}

/**
 * How many waiting views to hand over to the engine now; 0 to wait.
 *
 * The policy is work-conserving: an idle engine takes all waiting views at once. While the engine runs, one full batch is
 * prepared ahead. A batch that can still grow is only formed when the engine is free. There is no timer: it would add
 * delay while the engine is idle, and change nothing while it is busy (Deb and Serfozo 1973).
 */
export function viewsToHandOver({ queued, handedOver, largest, sizes }: BatcherState): number {
  const views = Math.min(queued, largest);
  const fitting = sizes === undefined ? views : (sizes.findLast((size) => size <= views) ?? 0);
  if (handedOver === 0) return fitting;
  return handedOver === 1 && queued >= largest ? fitting : 0;
}
