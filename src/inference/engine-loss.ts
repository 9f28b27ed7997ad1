/** Why an engine is down for good: it ended again and again, or it is stuck in a call that cannot be interrupted. */
export type EngineEnd = 'ended' | 'stuck';

/** An engine is down for good. If it was the last of its model, the process is of no use. */
export interface EngineLoss {
  readonly end: EngineEnd;
  readonly isLast: boolean;
}
