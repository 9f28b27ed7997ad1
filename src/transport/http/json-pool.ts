import { Piscina } from 'piscina';
import { ServiceError } from '../../errors/service-error.ts';
import { giveAway } from '../../threads/give-away.ts';
import { type JsonImages, jsonImages } from './json-images.ts';
import type { JsonResult, JsonTask } from './json-worker.ts';

/** What the main thread parses at once, in about two milliseconds. */
const smallBytes = 256 * 1024;
const idleMs = 30_000;

/** Reads the images of JSON bodies: large ones on a thread, which starts with the first of them and ends when idle. */
export class JsonPool {
  readonly #onThreadError: (error: unknown) => void;
  #pool: Piscina | undefined;

  /** `onThreadError` is told of a thread that died while it was idle. It is replaced. */
  constructor(onThreadError: (error: unknown) => void) {
    this.#onThreadError = onThreadError;
  }

  /** Takes the body over. Rejects as {@link jsonImages} throws. */
  async read(body: Uint8Array<ArrayBuffer>, maxImages: number): Promise<JsonImages> {
    if (body.byteLength <= smallBytes) return jsonImages(body, maxImages);
    const given = await giveAway(body);
    const task: JsonTask = { body: given, maxImages };
    let result: JsonResult;
    try {
      result = (await this.#opened().run(task, { transferList: [given.buffer] })) as JsonResult;
    } catch (thrown) {
      throw ServiceError.from(thrown);
    }
    if (result.kind === 'read') return result.read;
    throw new ServiceError(result.code, result.message);
  }

  /** Lets the bodies that are being read finish, and ends the thread. */
  async close(): Promise<void> {
    await this.#pool?.close();
  }

  #opened(): Piscina {
    if (this.#pool !== undefined) return this.#pool;
    const filename = new URL('./json-worker.js', import.meta.url).href;
    const pool = new Piscina({ filename, minThreads: 0, maxThreads: 1, idleTimeout: idleMs });
    pool.on('error', this.#onThreadError);
    this.#pool = pool;
    return pool;
  }
}
