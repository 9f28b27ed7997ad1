/** What the policy decides on. */
export interface BatcherState {
  /** Views waiting. */
  readonly queued: number;
  /** Batches handed to the engine and not yet back. */
  readonly handedOver: number;
  /** The largest batch worth running. */
  readonly largest: number;
  /** The only sizes that are run, ascending from 1; any when absent. */
  readonly sizes?: readonly number[] | undefined;
}

/** 1, 2, 4, ... and `largest`: few sizes, so that a GPU's memory pool and its kernels settle. */
export function fixedSizes(largest: number): number[] {
  const sizes = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}

/**
 * How many waiting views to hand over now; 0 is wait.
 *
 * Work-conserving: an idle engine takes what is there at once. While it runs, one batch is prepared ahead, but only
 * a full one: a batch that could still grow is formed when the engine frees. There is no timer: it would add delay
 * when the engine is idle and change nothing when it is not (Deb and Serfozo 1973).
 */
export function viewsToHandOver({ queued, handedOver, largest, sizes }: BatcherState): number {
  const views = Math.min(queued, largest);
  const fitting = sizes === undefined ? views : (sizes.findLast((size) => size <= views) ?? 0);
  if (handedOver === 0) return fitting;
  return handedOver === 1 && queued >= largest ? fitting : 0;
}
