import { Worker } from 'node:worker_threads';
import { ServiceError } from '../errors/service-error.ts';
import { type TaskAnswer, type TaskRequest, threadStarted } from './task-outcome.ts';

/** A task of a pool: the name of an export, its argument, and who waits for its result. */
export interface PoolTask {
  readonly name: string;
  readonly task: unknown;
  /** Transferred to the thread. */
  readonly buffers: readonly ArrayBuffer[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ServiceError) => void;
}

export interface PoolThreadEvents {
  /** Ends the thread after this time without a task; never if absent. */
  readonly idleMs: number | undefined;
  /** Called when a task has ended. */
  readonly onFree: () => void;
  /** Called when the thread has ended: with an error if it died, and whether a task has had that error. */
  readonly onEnd: (error: unknown, hadTasks: boolean) => void;
}

/** One thread of a pool. */
export class PoolThread {
  readonly #worker: Worker;
  readonly #events: PoolThreadEvents;
  readonly #running = new Map<number, PoolTask>();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #hasStarted = false;
  #isClosing = false;
  #onSettled: (() => void) | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(module: URL, events: PoolThreadEvents) {
    this.#events = events;
    const script = new URL('./pool-worker.js', import.meta.url);
    this.#worker = new Worker(script, { workerData: module.href });
    let error: unknown;
    this.#worker.on('message', (message: TaskAnswer | typeof threadStarted) => this.#receive(message));
    this.#worker.once('error', (thrown: unknown) => {
      error = thrown;
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', (exitCode) => {
        this.#end(error ?? (this.#isClosing ? undefined : new Error(`the thread exited with ${exitCode}`)));
        resolve();
      });
    });
  }

  /** How many tasks it has; infinite when it takes no more. */
  get tasks(): number {
    return this.#isClosing ? Number.POSITIVE_INFINITY : this.#running.size;
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  run(task: PoolTask): void {
    const id = this.#nextId++;
    try {
      this.#worker.postMessage({ id, name: task.name, task: task.task } satisfies TaskRequest, [
        ...task.buffers,
      ]);
    } catch (thrown) {
      task.reject(ServiceError.from(thrown));
      return;
    }
    clearTimeout(this.#idleTimer);
    this.#running.set(id, task);
  }

  /** Ends the thread when it has started and has run its tasks. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#idleTimer);
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    if (this.#isSettled) this.#onSettled?.();
    await Promise.race([settled, this.#ended]);
    await this.#worker.terminate();
    await this.#ended;
  }

  get #isSettled(): boolean {
    return this.#hasStarted && this.#running.size === 0;
  }

  #receive(message: TaskAnswer | typeof threadStarted): void {
    if (message === threadStarted) this.#hasStarted = true;
    else {
      const { id, outcome } = message;
      const task = this.#running.get(id);
      this.#running.delete(id);
      if (outcome.kind === 'done') task?.resolve(outcome.result);
      else task?.reject(new ServiceError(outcome.code, outcome.message, { cause: outcome.cause }));
    }
    if (!this.#isClosing) this.#events.onFree();
    if (this.#isSettled) this.#rest();
  }

  /** Nothing to do for now. */
  #rest(): void {
    this.#onSettled?.();
    if (this.#isClosing) return;
    const { idleMs } = this.#events;
    if (idleMs !== undefined) this.#idleTimer = setTimeout(() => void this.close(), idleMs).unref();
  }

  #end(error: unknown): void {
    clearTimeout(this.#idleTimer);
    const tasks = [...this.#running.values()];
    this.#running.clear();
    for (const { reject } of tasks) reject(ServiceError.from(error));
    this.#events.onEnd(error, tasks.length > 0);
  }
}
