import type { ServiceError } from '../../errors/service-error.ts';
import { WorkerPool } from '../../threads/worker-pool.ts';
import { SharedInput } from '../shared-input.ts';
import type { RemoteAccess } from './access.ts';
import { modelFailed } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { EngineDown } from './engine-down.ts';
import { examineMs, type ExaminedModel, type WantedModel } from './examine-model.ts';
import type { RemoteTokens } from './infer-message.ts';
import type { InferTask, OpenTask, RemoteAnswer } from './remote-worker.ts';

/** More calls than a connection ever has: none waits for another. */
const callsAtOnce = 1000;

/** Longest time for the thread to start and to read the files of a connection. */
const openMs = 30_000;

/** Longest time for the thread to answer after the time of a call. */
export const answerMs = 5000;

/**
 * A thread with a connection to a server. A batch and its tokens are tens of MB, and encoding, copying, encrypting and
 * writing them would hold up the main thread. Calls reject as those of {@link Connection}, and with EngineDown if the
 * thread fails.
 */
export class RemoteThread {
  readonly #pool: WorkerPool;
  readonly #shared = new SharedInput();

  /** `onThreadError` is called when the thread dies without a call. Another one takes its place. */
  constructor(onThreadError?: (error: unknown) => void) {
    this.#pool = new WorkerPool({
      worker: new URL('./remote-worker.js', import.meta.url),
      threads: 1,
      tasksPerThread: callsAtOnce,
      onThreadError,
    });
  }

  /**
   * Opens a connection, in place of the one before. Rejects with EngineDown if a file of `access` cannot be read. The
   * server is reached with the first call.
   */
  async connect(endpoint: Endpoint, access: RemoteAccess): Promise<void> {
    const task: OpenTask = { endpoint, access };
    await answered(this.#pool.run('open', task, []), openMs);
  }

  /** As examineModel(). */
  async examine(wanted: WantedModel): Promise<ExaminedModel> {
    return await answered(this.#pool.run('examine', wanted, []), examineMs + answerMs);
  }

  /** Runs a batch on the server's model. The views stay the caller's. */
  async infer(
    views: readonly Uint8Array[],
    task: Pick<InferTask, 'wanted' | 'outputs' | 'largest' | 'limitMs'>,
  ): Promise<RemoteTokens> {
    const input = this.#shared.copyIn(views);
    const { length } = views;
    const limitMs = Math.max(1, Math.ceil(length / task.largest)) * task.limitMs;
    try {
      const whole: InferTask = { ...task, input, views: length };
      return await answered(this.#pool.run('infer', whole, []), limitMs + answerMs);
    } finally {
      this.#shared.release(input);
    }
  }

  /** Closes the connection. Calls under way fail with EngineDown. */
  disconnect(): void {
    // It fails only if the thread has died, and its connection with it.
    void this.#pool.run('close', undefined, []).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

/** The result of a call. Rejects with EngineDown if the engine is, or the thread ends or takes longer than `limitMs`. */
async function answered<Result>(call: Promise<RemoteAnswer<Result>>, limitMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(lostThread(new Error("the engine's thread does not answer"))), limitMs);
  });
  try {
    const answer = await Promise.race([call.catch(throwLost), late]);
    if (answer.kind === 'done') return answer.result;
    throw new EngineDown(answer.reason, answer);
  } finally {
    clearTimeout(timer);
  }
}

/** The thread itself answers `internal` only for a batch that failed on the server. */
function throwLost(error: ServiceError): never {
  if (error.code !== 'internal' || error.message === modelFailed) throw error;
  const { cause } = error;
  const why = cause instanceof Error ? cause.message : error.message;
  throw lostThread(new Error(`the engine's thread failed: ${why}`, { cause }));
}

function lostThread(cause: Error): EngineDown {
  return new EngineDown('lost its thread', { cause });
}
