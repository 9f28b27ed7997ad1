import type { Logger } from 'pino';
import type { EngineLoss } from '../inference/engine-loss.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Outage } from './request.ts';

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

/** Where an encoder reports what happens to its engines. */
export interface EncoderReports {
  readonly observer: EncoderObserver;
  readonly logger: Logger;
  /** Called when an engine is down for good. */
  readonly onLoss: (loss: EngineLoss) => void;
  /** Remote engines that do not work, by their model's name and their own. */
  readonly outages: Map<string, Outage>;
}
