import { Piscina } from 'piscina';
import { ServiceError } from '../errors/service-error.ts';
import { threadsLoaded } from '../threads/threads-loaded.ts';
import type { AssemblyPlan } from './assembly/assemble.ts';
import type { TokenDtype } from './tensor.ts';
import type { AssembleTask, Refusal, SplitTask } from './token-tasks.ts';

export interface TokenPoolOptions {
  /** Told of a thread that died while it had nothing to do, as when it does not start. */
  readonly onThreadError?: (error: unknown) => void;
  /** Another worker than token-tasks.ts, for tests. */
  readonly worker?: URL;
}

/** Work on whole token buffers, off the main thread. Every buffer given is taken over; every result owns its own. */
export class TokenPool {
  readonly #pool: Piscina;
  readonly #loaded: Promise<void>;

  constructor(threads: number, { onThreadError, worker }: TokenPoolOptions = {}) {
    this.#pool = new Piscina({
      filename: (worker ?? new URL('./token-tasks.js', import.meta.url)).href,
      minThreads: threads,
      maxThreads: threads,
    });
    this.#loaded = threadsLoaded(this.#pool);
    // Without a listener such a death would end the process.
    this.#pool.on('error', (error: unknown) => onThreadError?.(error));
  }

  /** Cuts a batch's tokens into those of its `count` views. */
  async split(tokens: Uint8Array<ArrayBuffer>, count: number): Promise<Uint8Array<ArrayBuffer>[]> {
    const task: SplitTask = { tokens, count };
    return await this.#pool.run(task, { name: 'split', transferList: [tokens.buffer] });
  }

  /** float32 bytes to bfloat16 bytes, rounded to nearest even. */
  async bfloat16(tokens: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#pool.run(tokens, { name: 'bfloat16', transferList: [tokens.buffer] });
  }

  /**
   * The plan's answer from its views' float32 tokens (see tokens/assemble.ts). Rejects with `internal` when it is not
   * finite in `dtype` or could not be made.
   */
  async assemble(
    { viewGrid, channels, assembly, shape, grid }: AssemblyPlan,
    views: readonly Uint8Array<ArrayBuffer>[],
    dtype: TokenDtype,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const plan: AssemblyPlan = { viewGrid, channels, assembly, shape, grid };
    const task: AssembleTask = { plan, views, dtype };
    const transferList = [...new Set(views.map(({ buffer }) => buffer))];
    let reply: Uint8Array<ArrayBuffer> | Refusal;
    try {
      reply = await this.#pool.run(task, { name: 'assemble', transferList });
    } catch (thrown) {
      throw ServiceError.from(thrown);
    }
    if (reply instanceof Uint8Array) return reply;
    throw new ServiceError(reply.code, reply.message);
  }

  async close(): Promise<void> {
    await this.#loaded;
    await this.#pool.close();
  }
}
