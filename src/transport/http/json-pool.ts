import { toTransferable } from '../../threads/transfer.ts';
import { WorkerPool } from '../../threads/worker-pool.ts';
import { type JsonImages, jsonImages } from './json-images.ts';
import type { JsonTask } from './json-worker.ts';
import { type InferHead, readInferHead } from './open-inference/infer-head.ts';

/** Bodies up to this size are parsed on the main thread, in about two milliseconds. */
const smallBytes = 256 * 1024;
const idleMs = 30_000;

/** Reads JSON bodies: large bodies on a thread, which starts when needed and ends when idle. */
export class JsonPool {
  readonly #pool: WorkerPool;

  /** `onThreadError` is called when a thread dies while idle. The thread is replaced. */
  constructor(onThreadError: (error: unknown) => void) {
    const worker = new URL('./json-worker.js', import.meta.url);
    this.#pool = new WorkerPool({ worker, threads: 1, idleMs, onThreadError });
  }

  /** Takes ownership of the body. Rejects as {@link jsonImages} throws. */
  async read(body: Uint8Array<ArrayBuffer>, maxImages: number): Promise<JsonImages> {
    if (body.byteLength <= smallBytes) return jsonImages(body, maxImages);
    const task: JsonTask = { body: await toTransferable(body), maxImages };
    return await this.#pool.run('default', task, [task.body.buffer]);
  }

  /** Takes ownership of the JSON. Rejects as {@link readInferHead} throws. */
  async readInferHead(json: Uint8Array): Promise<InferHead> {
    if (json.byteLength <= smallBytes) return readInferHead(json);
    const head = await toTransferable(json);
    return await this.#pool.run('inferHead', head, [head.buffer]);
  }

  /** Ends the thread when it has read the bodies that it has. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}
