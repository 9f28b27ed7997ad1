import { ServiceError } from '../errors/service-error.ts';
import { PoolThread, type PoolTask } from './pool-thread.ts';

export interface WorkerPoolOptions {
  /** The compiled module whose exports are the tasks. Each task returns what taskOutcome returns. */
  readonly worker: URL;
  readonly threads: number;
  /** Tasks that one thread may run at a time; 1 when absent. */
  readonly tasksPerThread?: number;
  /** When set, threads start with the first tasks and end after this time without one. Otherwise they always run. */
  readonly idleMs?: number;
  /** Called when a thread dies without a task, for example while it starts. A thread that had started is replaced. */
  readonly onThreadError?: ((error: unknown) => void) | undefined;
}

/** Threads that run the tasks of one module. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #tasksPerThread: number;
  readonly #threads = new Set<PoolThread>();
  readonly #waiting: PoolTask[] = [];
  #isClosing = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#tasksPerThread = options.tasksPerThread ?? 1;
    if (options.idleMs !== undefined) return;
    for (let count = 0; count < options.threads; count++) this.#startThread();
  }

  /**
   * Runs the exported task `name` and transfers `buffers` to its thread. Rejects with the task's ServiceError, and with
   * `internal` when the task throws anything else or its thread dies.
   */
  run<Result>(name: string, task: unknown, buffers: readonly ArrayBuffer[]): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) {
        reject(closing());
        return;
      }
      this.#waiting.push({ name, task, buffers, resolve: resolve as PoolTask['resolve'], reject });
      this.#handOut();
    });
  }

  /**
   * Refuses tasks that wait, and ends the threads when they have run what they have. They load first: Node aborts the
   * process when a thread ends while it loads a module.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closing());
    await Promise.all([...this.#threads].map((thread) => thread.close()));
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#leastBusy();
      if (thread === undefined) return;
      thread.run(this.#waiting.shift()!);
    }
  }

  /** A thread that can take a task: of those that run, the one with the fewest, or else a new one. */
  #leastBusy(): PoolThread | undefined {
    let least: PoolThread | undefined;
    for (const thread of this.#threads) if (least === undefined || thread.tasks < least.tasks) least = thread;
    if (least?.tasks === 0) return least;
    if (this.#threads.size < this.#options.threads) return this.#startThread();
    return least !== undefined && least.tasks < this.#tasksPerThread ? least : undefined;
  }

  #startThread(): PoolThread {
    const { worker, idleMs } = this.#options;
    const thread = new PoolThread(worker, {
      idleMs,
      onFree: () => this.#handOut(),
      onEnd: (error, hadTasks) => this.#onEnd(thread, error, hadTasks),
    });
    this.#threads.add(thread);
    return thread;
  }

  /** Replaces a thread that has died, unless it could not even start. */
  #onEnd(thread: PoolThread, error: unknown, hadTasks: boolean): void {
    this.#threads.delete(thread);
    if (this.#isClosing) return;
    if (error !== undefined) {
      if (thread.hasStarted && this.#options.idleMs === undefined) this.#startThread();
      if (!hadTasks) this.#options.onThreadError?.(error);
    }
    this.#handOut();
  }
}

function closing(): ServiceError {
  return new ServiceError('unavailable', 'The service is shutting down.');
}
