import { requestAbort } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';

/**
 * Runs `work` with a signal that fires when `signal` does or when `limitMs` have passed, with `deadline_exceeded`
 * as its reason. The timer ends with the work.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // Not AbortSignal.any: its weak references cost more than the rest of an answer's bookkeeping.
  const either = requestAbort();
  const follow = () => either.abort(signal.reason);
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow, { once: true });
  const timer = setTimeout(() => {
    either.abort(new ServiceError('deadline_exceeded', `The request was not finished within ${limitMs} ms.`));
  }, limitMs);
  try {
    return await work(either.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', follow);
  }
}
