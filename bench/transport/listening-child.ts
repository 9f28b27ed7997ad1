import { TaskChild } from '../processes/children.ts';
import type { Listening } from './answer.ts';

/** One of this folder's servers, in a process of its own. */
export class ListeningChild {
  readonly #child: TaskChild<never, Listening>;
  #listening: Listening = {};

  constructor(
    module: 'bare-http' | 'bare-grpc' | 'stub-service',
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#child = new TaskChild(`transport/${module}`, args, env);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listening.httpPort}`;
  }

  get grpcAddress(): string {
    return `127.0.0.1:${this.#listening.grpcPort}`;
  }

  /** Resolves when the server listens. */
  async listen(): Promise<void> {
    this.#listening = await this.#child.next();
  }

  async close(): Promise<void> {
    await this.#child.close();
  }
}
