/** What the policy decides on. */
export interface BatcherState {
  /** Views waiting. */
  readonly queued: number;
  /** Batches handed to the engine and not yet back. */
  readonly handedOver: number;
  /** The largest batch worth running. */
  readonly largest: number;
}

/**
 * How many waiting views to hand over now; 0 is wait.
 *
 * Work-conserving: an idle engine takes what is there at once. While it runs, one batch is prepared ahead, but only
 * a full one: a batch that could still grow is formed when the engine frees. There is no timer: it would add delay
 * when the engine is idle and change nothing when it is not (Deb and Serfozo 1973).
 */
export function viewsToHandOver({ queued, handedOver, largest }: BatcherState): number {
  if (handedOver === 0) return Math.min(queued, largest);
  if (handedOver === 1 && queued >= largest) return largest;
  return 0;
}
