import { build } from 'hdr-histogram-js';

export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Latencies of any number of requests, to three significant digits. */
export class Latencies {
  readonly #microseconds = build({ lowestDiscernibleValue: 1, highestTrackableValue: 600e6 });

  record(latencyMs: number): void {
    this.#microseconds.recordValue(Math.max(1, Math.round(latencyMs * 1000)));
  }

  summary(): LatencySummary {
    const at = (percentile: number) => this.#microseconds.getValueAtPercentile(percentile) / 1000;
    return {
      count: this.#microseconds.totalCount,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: this.#microseconds.maxValue / 1000,
    };
  }
}
