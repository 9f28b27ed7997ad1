import { ServiceError } from './errors.ts';

/** Why an aborted signal fired, as the failure to answer with: its reason when that is one, else `cancelled`. */
export function abortFailure(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The client went away.', { cause: signal.reason });
}
