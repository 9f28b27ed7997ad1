import { Piscina } from 'piscina';
import { ServiceError } from '../errors.ts';
import type { Plan } from '../recipes/plan.ts';
import { abortFailure } from '../abort.ts';
import type { Raster } from './raster.ts';
import type { CutTask } from './view-worker.ts';

export interface ViewPoolOptions {
  /** Threads that resize, 1 or more; the pool never runs more at once. */
  readonly threads: number;
  /** Told of a thread that died while it had nothing to do; it is replaced. */
  readonly onThreadError?: (error: unknown) => void;
  /** Another worker than view-worker.ts, for tests. */
  readonly worker?: URL;
}

export interface ViewPool {
  /**
   * Makes the plan's views (see cutViews) on a thread. The raster's buffer is transferred: the caller loses it.
   * Calls beyond the number of threads wait in order; `signal` takes a waiting one out and rejects a running one at
   * once, while its thread finishes what it does. Rejects with the signal's ServiceError or `cancelled`, with
   * `internal` when the thread failed, and with `unavailable` when the pool closes.
   */
  cut(raster: Raster, plan: Plan, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>[]>;
  /** Refuses what waits, lets what runs finish, and ends the threads. */
  close(): Promise<void>;
}

export function createViewPool(options: ViewPoolOptions): ViewPool {
  return new PiscinaViewPool(options);
}

interface Waiting {
  readonly enter: () => void;
  readonly refuse: (error: ServiceError) => void;
}

class PiscinaViewPool implements ViewPool {
  readonly #pool: Piscina;
  readonly #waiting = new Set<Waiting>();
  #freeThreads: number;
  #closed = false;

  constructor({ threads, onThreadError, worker }: ViewPoolOptions) {
    this.#freeThreads = threads;
    this.#pool = new Piscina({
      filename: (worker ?? new URL('./view-worker.js', import.meta.url)).href,
      minThreads: threads,
      maxThreads: threads,
    });
    this.#pool.on('error', (error: unknown) => onThreadError?.(error));
  }

  async cut(raster: Raster, plan: Plan, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>[]> {
    await this.#enter(signal);
    if (signal?.aborted || this.#closed) {
      this.#leave();
      throw signal?.aborted ? abortFailure(signal) : closing();
    }
    const task: CutTask = { raster, canvases: plan.canvases, viewSize: plan.viewSize };
    // Piscina is not given the signal: it would end a running thread for it, which costs more than the resize.
    const work = this.#pool.run(task, { transferList: [raster.data.buffer] }).finally(() => this.#leave());
    try {
      return (await unlessAborted(work, signal)) as Uint8Array<ArrayBuffer>[];
    } catch (error) {
      throw ServiceError.from(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { refuse } of this.#waiting) refuse(closing());
    await this.#pool.close();
  }

  /** Takes a thread, or waits for one. */
  #enter(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(abortFailure(signal));
    if (this.#closed) return Promise.reject(closing());
    if (this.#freeThreads > 0) {
      this.#freeThreads--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        enter: () => {
          settle();
          resolve();
        },
        refuse: (error) => {
          settle();
          reject(error);
        },
      };
      const onAbort = (): void => waiting.refuse(abortFailure(signal!));
      signal?.addEventListener('abort', onAbort);
      this.#waiting.add(waiting);
    });
  }

  /** Hands the thread to whoever waited longest. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#freeThreads++;
    else next.enter();
  }
}

function closing(): ServiceError {
  return new ServiceError('unavailable', 'The service is shutting down.');
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortFailure(signal));
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
