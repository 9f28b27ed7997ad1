import { ServiceError } from '../../../errors/service-error.ts';

/** Waits before another try; rejects when the signal fires. */
export type Wait = (waitMs: number, signal: AbortSignal) => Promise<unknown>;

/** Waits between tries: one fewer than there are tries. */
const waitsMs = [1000, 2000, 4000, 8000, 16_000];

/**
 * Retries an attempt that fails with `unavailable`, five times at most, with longer and longer waits. The count starts anew
 * when `progress` has grown since the last failure.
 */
export async function retried<T>(
  attempt: () => Promise<T>,
  wait: Wait,
  signal: AbortSignal,
  progress: () => number = () => 0,
): Promise<T> {
  let seen = progress();
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'unavailable') throw error;
      if (progress() > seen) tries = 0;
      seen = progress();
      const waitMs = waitsMs[tries];
      if (waitMs === undefined) throw error;
      await wait(waitMs, signal);
    }
  }
}
