import { requestAbort } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';

/** A signal that ends with its request. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** To be called when the work has ended. */
  readonly end: () => void;
}

/**
 * A signal that fires when `signal` does, or when `limitMs` have passed, with `deadline_exceeded` as its reason. It holds
 * a timer until its `end()`.
 */
export function startDeadline(signal: AbortSignal, limitMs: number): Deadline {
  // AbortSignal.any holds weak references, which cost more than the rest of a request's bookkeeping.
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
