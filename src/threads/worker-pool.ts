import { once } from 'node:events';
import { move, Piscina, transferableSymbol, valueSymbol } from 'piscina';
import { type ErrorCode, ServiceError } from '../errors/service-error.ts';

export interface WorkerPoolOptions {
  /** The compiled module whose exports are the tasks. Each task returns what {@link taskOutcome} returns. */
  readonly worker: URL;
  readonly threads: number;
  /** Tasks that one thread may run at a time; 1 when absent. */
  readonly tasksPerThread?: number;
  /** When set, threads start with the first tasks and end after this time without one. Otherwise they always run. */
  readonly idleMs?: number;
  /** Called when a thread dies without a task, for example while it starts. The pool replaces the thread. */
  readonly onThreadError?: ((error: unknown) => void) | undefined;
}

/** How a task ended. Failures travel as values because an error loses its class between threads. */
export type TaskOutcome<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly cause: unknown };

/** Threads that run the tasks of one module. */
export class WorkerPool {
  readonly #pool: Piscina;
  readonly #loaded: Promise<void>;

  constructor({ worker, threads, tasksPerThread = 1, idleMs, onThreadError }: WorkerPoolOptions) {
    this.#pool = new Piscina({
      filename: worker.href,
      ...(idleMs === undefined ? { minThreads: threads } : { minThreads: 0, idleTimeout: idleMs }),
      maxThreads: threads,
      concurrentTasksPerWorker: tasksPerThread,
      // Waking a thread from Atomics costs the sender 0.2 ms more CPU per task than sending it a message.
      atomics: 'disabled',
      recordTiming: false,
    });
    this.#loaded = threadsLoaded(this.#pool);
    // Without a listener the event would end the process.
    this.#pool.on('error', (error: unknown) => onThreadError?.(error));
  }

  /**
   * Runs the exported task `name` and transfers `buffers` to its thread. Rejects with the task's ServiceError, and with
   * `internal` when the task throws anything else or its thread dies.
   */
  async run<Result>(name: string, task: unknown, buffers: readonly ArrayBuffer[]): Promise<Result> {
    let outcome: TaskOutcome<Result>;
    try {
      outcome = await this.#pool.run(task, { name, transferList: [...buffers] });
    } catch (thrown) {
      throw ServiceError.from(thrown);
    }
    if (outcome.kind === 'done') return outcome.result;
    throw new ServiceError(outcome.code, outcome.message, { cause: outcome.cause });
  }

  /** Waits for the threads to load first: Node aborts the process when a thread ends while it loads a module. */
  async close(): Promise<void> {
    await this.#loaded;
    await this.#pool.close();
  }
}

/** In the thread: runs a task for {@link WorkerPool.run} and transfers `buffersOf` its result back. */
export async function taskOutcome<Result>(
  task: () => Result | Promise<Result>,
  buffersOf: (result: Result) => readonly ArrayBuffer[],
): Promise<unknown> {
  try {
    const result = await task();
    const outcome: TaskOutcome<Result> = { kind: 'done', result };
    return move({ [transferableSymbol]: buffersOf(result), [valueSymbol]: outcome });
  } catch (thrown) {
    const { code, message, cause } = ServiceError.from(thrown);
    return { kind: 'failed', code, message, cause } satisfies TaskOutcome<Result>;
  }
}

/** Resolves when each thread that the pool starts with has loaded its modules or has ended. */
async function threadsLoaded({ threads }: Piscina): Promise<void> {
  await Promise.all(
    threads.map(async (thread) => {
      const settled = new AbortController();
      const { signal } = settled;
      // A thread's first message says that it is ready; once() rejects with what 'error' carries.
      const first = [once(thread, 'message', { signal }), once(thread, 'exit', { signal })];
      await Promise.race(first).catch(() => undefined);
      void Promise.allSettled(first);
      settled.abort();
    }),
  );
}
