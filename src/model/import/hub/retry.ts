import { ServiceError } from '../../../errors/service-error.ts';

/** Waits before another try; rejects when the signal fires. */
export type Wait = (waitMs: number, signal: AbortSignal) => Promise<unknown>;

/** Waits between tries; after the last one it is given up. */
const waitsMs = [1000, 2000, 4000, 8000, 16_000];

/**
 * Tries again what failed with `unavailable`, five times at most, with longer and longer waits. The waits start anew
 * after a try for which `progressed` gives true.
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
