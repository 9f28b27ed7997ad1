import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { freeBuffers } from '../threads/transfer.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { GraphOutput } from '../model/graph-io.ts';
import { runtimeReason } from './runtime-reason.ts';
import { SharedInput } from './shared-input.ts';
import type { EngineInput, RunRequest, WorkerReply, WorkerRequest, WorkerStart } from './worker-protocol.ts';

interface Pending {
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly input: Uint8Array<SharedArrayBuffer>;
  readonly resolve: (batch: EncodedBatch) => void;
  readonly reject: (error: ServiceError) => void;
}

/** An engine that runs ONNX Runtime on a thread of its own. */
export class WorkerEngine implements Engine {
  readonly #worker: Worker;
  readonly #input: EngineInput;
  readonly #pending = new Map<number, Pending>();
  readonly #shared = new SharedInput();
  #nextId = 0;
  #down: ServiceError | undefined;
  #closing = false;
  readonly #ended: Promise<void>;

  private constructor(worker: Worker, input: EngineInput, onDown: (error: ServiceError) => void) {
    this.#worker = worker;
    this.#input = input;
    worker.on('message', (message: WorkerReply) => this.#receive(message));
    const failed = new Promise<unknown>((resolve) => worker.once('error', resolve));
    this.#ended = new Promise((resolve) => {
      worker.once('exit', (exitCode) => {
        const cause = Promise.race([
          failed,
          Promise.resolve(new Error(`engine thread exited with ${exitCode}`)),
        ]);
        void cause.then((reason) => {
          this.#goDown(new ServiceError('unavailable', 'The engine is down.', { cause: reason }));
          if (!this.#closing) onDown(this.#down!);
          resolve();
        });
      });
    });
  }

  /**
   * Starts the thread and loads the model. Rejects with `failed_precondition` when the model or the device cannot be
   * used; the message says what is missing. Calls `onDown` once if the thread ends by itself. Tests run another
   * `script`.
   */
  static async start(
    start: WorkerStart,
    onDown: (error: ServiceError) => void,
    script = new URL('./worker.js', import.meta.url),
  ): Promise<WorkerEngine> {
    // bin/siglip-hd.cjs sets it too. A thread gets a copy of the environment, so it must be set before the start.
    process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
    const worker = new Worker(script, { workerData: start, name: 'engine' });
    const first = await firstReply(worker);
    if (first.kind !== 'started') {
      await worker.terminate();
      const reason = first.kind === 'start-failed' ? first.reason : first.kind;
      throw new ServiceError('failed_precondition', startFailure(start, reason));
    }
    return new WorkerEngine(worker, start.input, onDown);
  }

  encode(views: readonly Uint8Array<ArrayBuffer>[], outputs: readonly GraphOutput[]): Promise<EncodedBatch> {
    return new Promise((resolve, reject) => {
      if (this.#down !== undefined) {
        reject(this.#down);
        return;
      }
      // A view whose buffer was transferred has no bytes, and would spoil the batch.
      const wrong = views.find(({ byteLength }) => !isViewOf(this.#input, byteLength));
      if (wrong !== undefined) {
        reject(ServiceError.from(new RangeError(`a view has ${wrong.byteLength} bytes`)));
        return;
      }
      const id = this.#nextId++;
      // The thread gets a copy: should it die, the views are needed to try again.
      const input = this.#shared.copyIn(views);
      const request: RunRequest = { kind: 'run', id, input, views: views.length, outputs };
      this.#worker.postMessage(request);
      this.#pending.set(id, { views, input, resolve, reject });
    });
  }

  /**
   * Rejects what is pending with `unavailable`, and resolves when the thread has ended, which is after the current
   * native call. The thread is not terminated: Node aborts the process when a native call returns into a terminated
   * thread.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.#goDown(new ServiceError('unavailable', 'The engine is closing.'));
    const request: WorkerRequest = { kind: 'close' };
    this.#worker.postMessage(request);
    await this.#ended;
  }

  #goDown(reason: ServiceError): void {
    this.#down ??= reason;
    for (const { reject } of this.#pending.values()) reject(this.#down);
    this.#pending.clear();
  }

  #receive(message: WorkerReply): void {
    if (message.kind !== 'ran' && message.kind !== 'run-failed') return;
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (pending === undefined) return;
    const { views, input, resolve, reject } = pending;
    this.#shared.release(input);
    if (message.kind === 'ran') {
      const finite = Object.values(message.finite);
      // Another engine may have run a view of a late batch already, and freed it.
      freeBuffers(views.filter((_, index) => finite.every((flags) => flags[index])));
      resolve(message);
    } else {
      const cause = new Error(message.reason);
      reject(new ServiceError('internal', 'The model failed on this image.', { cause }));
    }
  }
}

/** Whether a view of this size fits: of pixels exactly, of features any whole number of rows. */
function isViewOf(input: EngineInput, sizeBytes: number): boolean {
  if (input.kind === 'pixels') return sizeBytes === input.side * input.side * 3;
  return sizeBytes > 0 && sizeBytes % (input.channels * Float32Array.BYTES_PER_ELEMENT) === 0;
}

/** The thread's first message. A thread that ends without one has failed to start. */
async function firstReply(worker: Worker): Promise<WorkerReply> {
  const settled = new AbortController();
  const { signal } = settled;
  const reply = once(worker, 'message', { signal }).then(([message]) => message as WorkerReply);
  const end = once(worker, 'exit', { signal }).then(
    ([exitCode]): WorkerReply => ({
      kind: 'start-failed',
      reason: `the engine's thread exited with ${String(exitCode)}`,
    }),
  );
  try {
    // once() rejects with what 'error' carries.
    return await Promise.race([reply, end]);
  } catch (thrown) {
    return { kind: 'start-failed', reason: thrown instanceof Error ? thrown.message : String(thrown) };
  } finally {
    void Promise.allSettled([reply, end]);
    settled.abort();
  }
}

export function startFailure({ device, folder }: WorkerStart, reason: string): string {
  const why = runtimeReason(reason);
  if (device.kind === 'cpu') return `The model ${folder} could not be loaded: ${why}.`;
  return (
    `The device cuda:${device.deviceId} could not be used: ${why}. ` +
    `It needs an NVIDIA driver, CUDA 12, cuDNN 9 and onnxruntime-node's CUDA libraries, which ` +
    `\`npm rebuild onnxruntime-node --ignore-scripts=false\` fetches. Use --device cpu to run without a GPU.`
  );
}
