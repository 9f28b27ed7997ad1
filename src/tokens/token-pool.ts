import { Piscina } from 'piscina';
import type { Plan } from '../recipes/plan.ts';
import type { TokenDtype } from './tensor.ts';
import type { AssembleTask, SplitTask } from './token-tasks.ts';

/** Work on whole token buffers, off the main thread. Every buffer given is taken over; every result owns its own. */
export class TokenPool {
  readonly #pool: Piscina;

  constructor(threads: number) {
    this.#pool = new Piscina({
      filename: new URL('./token-tasks.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: threads,
    });
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

  /** The answer's tokens of a plan that fuses or merges its views' float32 tokens. */
  async assemble(
    plan: Plan,
    views: readonly Uint8Array<ArrayBuffer>[],
    dtype: TokenDtype,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const task: AssembleTask = { plan, views, dtype };
    const transferList = views.map(({ buffer }) => buffer);
    return await this.#pool.run(task, { name: 'assembleViews', transferList });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
