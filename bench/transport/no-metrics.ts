import { Metrics } from '../../src/telemetry/metrics.ts';

/** Counts nothing, to show what counting costs. */
export class NoMetrics extends Metrics {
  override observeRequest(): void {}
  override observeStages(): void {}
  override observeSource(): void {}
  override observeWrite(): void {}
  override observeBatch(): void {}
}
