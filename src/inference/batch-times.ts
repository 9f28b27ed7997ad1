/** Share of the best views a second that a smaller batch must reach to be preferred, for its lower latency. */
const worthwhileShare = 0.95;

/** Latest runs of a size that its time is the median of: a run that something else held up changes nothing. */
const runsKept = 9;

/**
 * A size that was not run for so many batches is as at warm-up again. One that looked too slow to be run would
 * never be measured again, though what slowed it may be over.
 */
const runsRemembered = 256;

/** What is known of one size, in milliseconds. */
interface Size {
  /** None of a size that was first run later. */
  readonly warmUpMs: number | undefined;
  readonly latestMs: number[];
  /** The number of the batch in which it was last run. */
  lastRun: number;
}

/** t(b): what a batch of b views takes, measured at warm-up and learned from then on. Times in milliseconds. */
export class BatchTimes {
  readonly #sizes = new Map<number, Size>();
  #runs = 0;

  /** What warm-up has found. */
  calibrate(views: number, batchMs: number): void {
    this.#sizes.set(views, { warmUpMs: batchMs, latestMs: [batchMs], lastRun: this.#runs });
  }

  /** One batch that was run. */
  record(views: number, batchMs: number): void {
    this.#runs++;
    const size = this.#sizes.get(views) ?? { warmUpMs: undefined, latestMs: [], lastRun: 0 };
    size.latestMs.push(batchMs);
    if (size.latestMs.length > runsKept) size.latestMs.shift();
    size.lastRun = this.#runs;
    this.#sizes.set(views, size);
    this.#forget();
  }

  /**
   * The smallest measured batch that gives at least 95 % of the best measured views a second, no larger than `limit`;
   * 1 before anything is measured.
   */
  knee(limit: number): number {
    const rates = this.entries()
      .filter(([views]) => views <= limit)
      .map(([views, batchMs]) => ({ views, rate: views / batchMs }));
    const best = Math.max(...rates.map(({ rate }) => rate));
    return rates.find(({ rate }) => rate >= best * worthwhileShare)?.views ?? 1;
  }

  /**
   * Expected time of a batch of `views`: measured, else in proportion between or beyond the measured neighbours;
   * undefined before anything is measured.
   */
  estimateMs(views: number): number | undefined {
    const exact = this.#sizes.get(views);
    if (exact !== undefined) return median(exact.latestMs);
    const known = this.entries();
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
  entries(): (readonly [views: number, batchMs: number])[] {
    return [...this.#sizes]
      .map(([views, { latestMs }]) => [views, median(latestMs)] as const)
      .toSorted(([a], [b]) => a - b);
  }

  #forget(): void {
    for (const [views, { warmUpMs, lastRun }] of this.#sizes) {
      if (this.#runs - lastRun <= runsRemembered) continue;
      if (warmUpMs === undefined) this.#sizes.delete(views);
      else this.calibrate(views, warmUpMs);
    }
  }
}

/** Of two in the middle the shorter. */
function median(timesMs: readonly number[]): number {
  return timesMs.toSorted((a, b) => a - b)[(timesMs.length - 1) >> 1]!;
}
