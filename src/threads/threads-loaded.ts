import { once } from 'node:events';
import type { Piscina } from 'piscina';

/**
 * Resolves when the threads that a pool starts with have loaded their modules, or have ended. To be asked for when
 * the pool is made, and waited for before it is closed: node aborts the process when a thread is ended while it
 * loads a module.
 */
export async function threadsLoaded({ threads }: Piscina): Promise<void> {
  await Promise.all(
    threads.map(async (thread) => {
      const settled = new AbortController();
      const { signal } = settled;
      // The first that a thread says is that it is ready; once() rejects with what 'error' carries.
      const first = [once(thread, 'message', { signal }), once(thread, 'exit', { signal })];
      await Promise.race(first).catch(() => undefined);
      void Promise.allSettled(first);
      settled.abort();
    }),
  );
}
