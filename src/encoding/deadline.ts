import { RequestAbort, type StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';

/** A signal with a time limit. */
export interface Deadline {
  readonly signal: StopSignal;
  /** Stops the timer. Must be called when the work has ended. */
  readonly end: () => void;
}

/** Starts a signal that fires when `signal` does, or with `deadline_exceeded` after `limitMs`. */
export function startDeadline(signal: StopSignal, limitMs: number): Deadline {
  const either = new RequestAbort();
  const follow = () => either.abort(signal.reason);
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow);
  const timer = setTimeout(() => {
    either.abort(new ServiceError('deadline_exceeded', `The request was not finished within ${limitMs} ms.`));
  }, limitMs);
  return {
    signal: either,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    },
  };
}
