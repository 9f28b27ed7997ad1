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

  constructor() {
    this.#worker.addEventListener('message', (event: MessageEvent<ResultMessage>) =>
      this.#receive(event.data),
    );
    this.#worker.addEventListener('error', ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The worker failed: ${message}`));
      this.#waiting.clear();
    });
  }

  /** Transfers the bytes of a `put`. Rejects if the task fails. */
  run<Asked extends Task>(task: Asked): Promise<TaskResults[Asked['kind']]> {
    this.#last += 1;
    const message: TaskMessage = { number: this.#last, task };
    const transferred = task.kind === 'put' ? [task.bytes] : [];
    return new Promise<TaskResults[Asked['kind']]>((resolve, reject) => {
      this.#waiting.set(message.number, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage(message, transferred);
    });
  }

  #receive(message: ResultMessage): void {
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if ('error' in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.result);
  }
}
