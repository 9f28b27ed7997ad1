import { WorkerPool } from '../../threads/worker-pool.ts';
import { SharedInput } from '../shared-input.ts';
import type { RemoteAccess } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { ExaminedModel, WantedModel } from './examine-model.ts';
import type { RemoteTokens } from './infer-message.ts';
import type { ExamineTask, InferTask, OpenTask } from './remote-worker.ts';

/** More calls than a connection ever has: none waits for another. */
const callsAtOnce = 1000;

/**
 * A thread that talks to a server. A batch and its tokens are tens of MB, and encoding, copying, encrypting and writing them
 * would hold up the main thread.
 */
export class RemoteThread {
  readonly #pool = new WorkerPool({
    worker: new URL('./remote-worker.js', import.meta.url),
    threads: 1,
    tasksPerThread: callsAtOnce,
  });
  readonly #shared = new SharedInput();
  #connections = 0;

  /** Rejects with `unavailable` if a file of `access` cannot be read. The server is reached with the first call. */
  async connect(endpoint: Endpoint, access: RemoteAccess): Promise<RemoteConnection> {
    const connection = this.#connections++;
    await this.#pool.run('open', { connection, endpoint, access } satisfies OpenTask, []);
    return new RemoteConnection(this.#pool, this.#shared, connection);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

/** A connection that is on the thread. Calls reject as those of {@link Connection}. */
export class RemoteConnection {
  readonly #pool: WorkerPool;
  readonly #shared: SharedInput;
  readonly #connection: number;

  constructor(pool: WorkerPool, shared: SharedInput, connection: number) {
    this.#pool = pool;
    this.#shared = shared;
    this.#connection = connection;
  }

  /** As examineModel(). */
  async examine(wanted: WantedModel): Promise<ExaminedModel> {
    return await this.#pool.run(
      'examine',
      { connection: this.#connection, wanted } satisfies ExamineTask,
      [],
    );
  }

  /** Runs a batch on the server's model. The views stay the caller's. */
  async infer(
    views: readonly Uint8Array[],
    task: Pick<InferTask, 'wanted' | 'outputs' | 'largest' | 'limitMs'>,
  ): Promise<RemoteTokens> {
    const input = this.#shared.copyIn(views);
    try {
      const { length } = views;
      const whole: InferTask = { ...task, connection: this.#connection, input, views: length };
      return await this.#pool.run('infer', whole, []);
    } finally {
      this.#shared.release(input);
    }
  }

  /** Calls under way fail with `unavailable`. */
  close(): void {
    // It fails only if the thread has died, and its connections with it.
    void this.#pool.run('close', this.#connection, []).catch(() => undefined);
  }
}
