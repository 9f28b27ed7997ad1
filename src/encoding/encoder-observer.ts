import type { Metrics } from '../telemetry/metrics.ts';

/** What an encoder reports while it runs; each report is optional. */
export type EncoderObserver = Partial<
  Pick<
    Metrics,
    | 'observeBatch'
    | 'observeRestart'
    | 'observeStages'
    | 'observeSource'
    | 'observeRefusal'
    | 'watchQueue'
    | 'watchHeld'
    | 'watchBatches'
  >
>;
