import { ServiceError } from '../../../errors/service-error.ts';

/** Waits before another try; rejects when the signal fires. */
export type Wait = (waitMs: number, signal: AbortSignal) => Promise<unknown>;

/** Waits between tries: one fewer than there are tries. */
const waitsMs = [1000, 2000, 4000, 8000, 16_000];

/**
 * Retries an attempt that fails with `unavailable`, five times at most, with longer and longer waits. A try for which
 * `progressed` gives true resets the count.
 */
export async function retried<T>(
  attempt: () => Promise<T>,
  wait: Wait,
  signal: AbortSignal,
  progressed: () => boolean = () => false,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'unavailable') throw error;
      if (progressed()) tries = 0;
      const waitMs = waitsMs[tries];
      if (waitMs === undefined) throw error;
      await wait(waitMs, signal);
    }
  }
}
