import { ServiceError } from './errors.ts';

/**
 * Runs `work` with a signal that fires when `signal` does or when `limitMs` have passed, with `deadline_exceeded`
 * as its reason. The timer ends with the work.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new ServiceError('deadline_exceeded', `The request was not finished within ${limitMs} ms.`));
  }, limitMs);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
