import type { Metrics } from '../telemetry/metrics.ts';

/** Receives an encoder's reports while it runs. Each report is optional. */
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
    | 'watchEngines'
  >
>;
