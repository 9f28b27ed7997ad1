import { requestAbort } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';

/** A signal with a time limit. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Stops the timer. Must be called when the work has ended. */
  readonly end: () => void;
}

/** Starts a signal that fires when `signal` does, or with `deadline_exceeded` after `limitMs`. */
export function startDeadline(signal: AbortSignal, limitMs: number): Deadline {
  // AbortSignal.any keeps weak references, which cost more than the rest of a request's bookkeeping.
  const either = requestAbort();
  const follow = () => either.abort(signal.reason);
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow, { once: true });
  const timer = setTimeout(() => {
    either.abort(new ServiceError('deadline_exceeded', `The request was not finished within ${limitMs} ms.`));
  }, limitMs);
  return {
    signal: either.signal,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    },
  };
}
