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

/** Share of the best views a second that a smaller batch must reach to be preferred, for its lower latency. */
const worthwhileShare = 0.95;

/** Weight of a new measurement of t(b) against what is known. */
const learningRate = 0.1;

/** t(b): what a batch of b views takes, measured at warm-up and learned from then on. Times in milliseconds. */
export class BatchTimes {
  readonly #measured = new Map<number, number>();

  record(views: number, batchMs: number): void {
    const known = this.#measured.get(views);
    this.#measured.set(views, known === undefined ? batchMs : known + learningRate * (batchMs - known));
  }

  /**
   * The smallest measured batch that gives at least 95 % of the best measured views a second, no larger than `limit`;
   * 1 before anything is measured.
   */
  knee(limit: number): number {
    const rates = [...this.#measured]
      .filter(([views]) => views <= limit)
      .map(([views, batchMs]) => ({ views, rate: views / batchMs }))
      .toSorted((a, b) => a.views - b.views);
    const best = Math.max(...rates.map(({ rate }) => rate));
    return rates.find(({ rate }) => rate >= best * worthwhileShare)?.views ?? 1;
  }

  /**
   * Expected time of a batch of `views`: measured, else in proportion between or beyond the measured neighbours;
   * undefined before anything is measured.
   */
  estimateMs(views: number): number | undefined {
    const exact = this.#measured.get(views);
    if (exact !== undefined) return exact;
    const known = [...this.#measured].toSorted(([a], [b]) => a - b);
    const above = known.find(([size]) => size > views);
    const below = known.findLast(([size]) => size < views);
    if (above !== undefined && below !== undefined) {
      const share = (views - below[0]) / (above[0] - below[0]);
      return below[1] + share * (above[1] - below[1]);
    }
    const nearest = above ?? below;
    return nearest === undefined ? undefined : (nearest[1] * views) / nearest[0];
  }

  /** [views, milliseconds] of every measured size, ascending. */
  entries(): readonly (readonly [views: number, batchMs: number])[] {
    return [...this.#measured].toSorted(([a], [b]) => a - b);
  }
}
