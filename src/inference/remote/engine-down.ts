import { ServiceError } from '../../errors/service-error.ts';

/** A remote engine does not work. */
export class EngineDown extends ServiceError {
  /** A phrase that any caller may read, such as "cannot be reached: connection refused". */
  readonly reason: string;
  /** For the log, with the server's own words. */
  override readonly cause: Error;
  /** Whether the server works, but not for this model. */
  readonly isUnfit: boolean;

  constructor(
    reason: string,
    {
      cause = new Error(reason),
      isUnfit = false,
    }: { readonly cause?: Error; readonly isUnfit?: boolean } = {},
  ) {
    super('unavailable', `The remote engine ${reason}.`);
    this.reason = reason;
    this.cause = cause;
    this.isUnfit = isUnfit;
  }
}
