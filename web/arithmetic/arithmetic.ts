import type { ResultMessage, Task, TaskMessage, TaskResults } from './tasks.ts';

interface Waiting {
  readonly resolve: (result: TaskResults[Task['kind']]) => void;
  readonly reject: (error: Error) => void;
}

/** The worker that keeps the tokens and does the arithmetic on them. Tasks are carried out in order. */
export class Arithmetic {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  /** Why the worker takes no more tasks. */
  #failure: Error | undefined;

  constructor() {
    this.#worker.addEventListener('message', (event: MessageEvent<ResultMessage>) =>
      this.#receive(event.data),
    );
    // A script that does not load gives an event without a message.
    this.#worker.addEventListener('error', ({ message = 'its script does not load' }: Partial<ErrorEvent>) =>
      this.#fail(message),
    );
    this.#worker.addEventListener('messageerror', () => this.#fail('its answer cannot be read'));
  }

  /** Transfers the bytes of a `put`. Rejects if the task fails, and always once the worker has failed. */
  run<Asked extends Task>(task: Asked): Promise<TaskResults[Asked['kind']]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#last += 1;
    const message: TaskMessage = { number: this.#last, task };
    const transferred = task.kind === 'put' ? [task.bytes] : [];
    return new Promise<TaskResults[Asked['kind']]>((resolve, reject) => {
      this.#waiting.set(message.number, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage(message, transferred);
    });
  }

  /** Forgets the tokens of a panel. */
  drop(id: number): void {
    // A worker that has failed keeps no tokens, and the next task reports the failure.
    this.run({ kind: 'drop', id }).catch(() => {});
  }

  #fail(reason: string): void {
    this.#failure = new Error(`The worker that computes colours failed: ${reason}. Reload the page.`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }

  #receive(message: ResultMessage): void {
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if ('error' in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.result);
  }
}
