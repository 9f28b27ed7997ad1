import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of the benchmark that answers one task at a time over node's channel between processes. */
export class TaskChild<Task extends object, Result> {
  readonly #child: ChildProcess;

  /** `module` is a path relative to the compiled bench folder, without its .js. */
  constructor(module: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    this.#child = fork(new URL(`../${module}.js`, import.meta.url), args, {
      serialization: 'advanced',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Rejects with the child's error, or when it ends. */
  async run(task: Task): Promise<Result> {
    const answer = this.next();
    this.#child.send(task);
    return await answer;
  }

  /** The child's next answer, for one that speaks first. */
  async next(): Promise<Result> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const answer = await Promise.race([
        once(this.#child, 'message', { signal }),
        once(this.#child, 'exit', { signal }).then(([code]) => {
          throw new Error(`${this.#child.spawnargs.slice(1).join(' ')} ended with ${code}`);
        }),
      ]);
      const message = answer[0] as Reply<Result>;
      if (message.kind === 'failed') throw new Error(message.reason);
      return message.result;
    } finally {
      ended.abort();
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}

type Reply<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly reason: string };

/** The child's side: answers every task that comes. */
export function answerTasks(work: (task: never) => Promise<unknown>): void {
  process.on('message', (task) => {
    work(task as never).then(reply, (thrown: unknown) => {
      const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      process.send?.({ kind: 'failed', reason } satisfies Reply<unknown>);
    });
  });
}

/** The child's side: sends a result. */
export function reply(result: unknown): void {
  process.send?.({ kind: 'done', result } satisfies Reply<unknown>);
}
