import { WorkerPool, type WorkerPoolOptions } from '../threads/worker-pool.ts';
import type { AssemblyPlan } from './assembly/assemble.ts';
import type { TokenDtype } from './tensor.ts';
import type { AssembleTask, JoinTask, SplitTask } from './token-tasks.ts';

/**
 * Work on whole token buffers, off the main thread. Takes over every buffer of tokens that it is given; every result owns
 * its own.
 */
export class TokenPool {
  readonly #pool: WorkerPool;

  constructor(threads: number, { onThreadError }: Pick<WorkerPoolOptions, 'onThreadError'> = {}) {
    const worker = new URL('./token-tasks.js', import.meta.url);
    this.#pool = new WorkerPool({ worker, threads, onThreadError });
  }

  /** Cuts a batch's tokens into those of its `count` views. */
  async split(tokens: Uint8Array<ArrayBuffer>, count: number): Promise<Uint8Array<ArrayBuffer>[]> {
    const task: SplitTask = { tokens, count };
    return await this.#pool.run('split', task, [tokens.buffer]);
  }

  /** Joins maps of the same tokens by their channels. `rowBytes` are those of one token in one map. */
  async join(parts: readonly Uint8Array<ArrayBuffer>[], rowBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const task: JoinTask = { parts, rowBytes };
    return await this.#pool.run(
      'join',
      task,
      parts.map(({ buffer }) => buffer),
    );
  }

  /** Rounds float32 bytes to bfloat16 bytes, to nearest even. */
  async bfloat16(tokens: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#pool.run('bfloat16', tokens, [tokens.buffer]);
  }

  /**
   * Makes the plan's answer from its views' float32 tokens and a copy of the newline row (see assembly/assemble.ts). Rejects
   * with `internal` when the answer is not finite in `dtype` or cannot be made.
   */
  async assemble(
    { viewGrid, channels, assembly, shape, grid }: AssemblyPlan,
    views: readonly Uint8Array<ArrayBuffer>[],
    dtype: TokenDtype,
    newline?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const plan: AssemblyPlan = { viewGrid, channels, assembly, shape, grid };
    const task: AssembleTask = { plan, views, dtype, newline };
    return await this.#pool.run('assemble', task, [...new Set(views.map(({ buffer }) => buffer))]);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
