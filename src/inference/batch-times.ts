/** A smaller batch is preferred, for its latency, if it reaches this share of the best rate of views per second. */
const worthwhileShare = 0.95;

/** A size's time is the median of this many latest runs, so that one run that was held up changes nothing. */
const runsKept = 9;

/**
 * After this many batches without a run of a size, its time is that of warm-up again. Otherwise a size that was slow for
 * a while would never be run and measured again.
 */
const runsRemembered = 256;

/** A batch is late after this many times its measured time, but not before `leastLateMs`. */
const lateFactor = 5;
const leastLateMs = 1000;

/** The measured times of one size, in milliseconds. */
interface Size {
  /** Undefined for a size that warm-up did not run. */
  readonly warmUpMs: number | undefined;
  readonly latestMs: number[];
  medianMs: number;
  /** The number of the batch that last ran this size. */
  lastRun: number;
}

/** t(b): the time of a batch of b views in milliseconds, measured at warm-up and learned from then on. */
export class BatchTimes {
  readonly #sizes = new Map<number, Size>();
  /** What entries() gives, which is asked for more often than it changes. */
  #entries: readonly (readonly [views: number, batchMs: number])[] | undefined;
  #runs = 0;

  /** Records a time that warm-up measured. */
  calibrate(views: number, batchMs: number): void {
    this.#sizes.set(views, {
      warmUpMs: batchMs,
      latestMs: [batchMs],
      medianMs: batchMs,
      lastRun: this.#runs,
    });
    this.#entries = undefined;
  }

  /** Records the time of a batch. */
  record(views: number, batchMs: number): void {
    this.#runs++;
    const size = this.#sizes.get(views) ?? { warmUpMs: undefined, latestMs: [], medianMs: 0, lastRun: 0 };
    size.latestMs.push(batchMs);
    if (size.latestMs.length > runsKept) size.latestMs.shift();
    size.lastRun = this.#runs;
    const medianMs = median(size.latestMs);
    // Most runs change no median.
    if (medianMs !== size.medianMs) this.#entries = undefined;
    size.medianMs = medianMs;
    this.#sizes.set(views, size);
    this.#forget();
  }

  /**
   * The smallest measured batch, at most `limit`, that reaches at least 95 % of the best rate of views per second. 1
   * before anything is measured.
   */
  knee(limit: number): number {
    const measured = this.entries();
    let best = 0;
    for (const [views, batchMs] of measured) if (views <= limit) best = Math.max(best, views / batchMs);
    for (const [views, batchMs] of measured) {
      if (views <= limit && views / batchMs >= best * worthwhileShare) return views;
    }
    return 1;
  }

  /**
   * The expected time of a batch of `views`: measured, or interpolated between the measured neighbours, or in proportion
   * to the nearest. Undefined before anything is measured.
   */
  estimateMs(views: number): number | undefined {
    const known = this.entries();
    const exact = known.find(([size]) => size === views);
    if (exact !== undefined) return exact[1];
    const above = known.find(([size]) => size > views);
    const below = known.findLast(([size]) => size < views);
    if (above !== undefined && below !== undefined) {
      const share = (views - below[0]) / (above[0] - below[0]);
      return below[1] + share * (above[1] - below[1]);
    }
    const nearest = above ?? below;
    return nearest === undefined ? undefined : (nearest[1] * views) / nearest[0];
  }

  /** After how long a batch of `views` is late. Undefined before anything is measured. */
  lateMs(views: number): number | undefined {
    const measuredMs = this.estimateMs(views);
    return measuredMs === undefined ? undefined : Math.max(leastLateMs, lateFactor * measuredMs);
  }

  /** [views, milliseconds] of every measured size, ascending. */
  entries(): readonly (readonly [views: number, batchMs: number])[] {
    this.#entries ??= [...this.#sizes]
      .map(([views, { medianMs }]) => [views, medianMs] as const)
      .toSorted(([a], [b]) => a - b);
    return this.#entries;
  }

  #forget(): void {
    for (const [views, { warmUpMs, lastRun }] of this.#sizes) {
      if (this.#runs - lastRun <= runsRemembered) continue;
      if (warmUpMs === undefined) this.#sizes.delete(views);
      else this.calibrate(views, warmUpMs);
      this.#entries = undefined;
    }
  }
}

/** The median; of two middle times, the shorter. */
function median(timesMs: readonly number[]): number {
  return timesMs.toSorted((a, b) => a - b)[(timesMs.length - 1) >> 1]!;
}
