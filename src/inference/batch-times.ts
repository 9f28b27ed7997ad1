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
