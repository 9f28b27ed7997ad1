import { type ErrorCode, ServiceError } from '../errors/service-error.ts';

/** How a task ended. Failures travel as values because an error loses its class between threads. */
export type TaskOutcome<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly cause: unknown };

/** A task as a thread gets it. */
export interface TaskRequest {
  readonly id: number;
  readonly name: string;
  readonly task: unknown;
}

/** What a thread answers. */
export interface TaskAnswer {
  readonly id: number;
  readonly outcome: TaskOutcome<unknown>;
}

/** The first message of a thread, once it has loaded its module. */
export const threadStarted = 'started';

/** An outcome, and the buffers of the result to transfer. */
export interface MovedOutcome {
  readonly outcome: TaskOutcome<unknown>;
  readonly buffers: readonly ArrayBuffer[];
}

/** In the thread: runs a task of a pool, and says which buffers of its result to transfer. */
export async function taskOutcome<Result>(
  task: () => Result | Promise<Result>,
  buffersOf: (result: Result) => readonly ArrayBuffer[],
): Promise<MovedOutcome> {
  try {
    const result = await task();
    return { outcome: { kind: 'done', result }, buffers: buffersOf(result) };
  } catch (thrown) {
    return failedOutcome(thrown);
  }
}

export function failedOutcome(thrown: unknown): MovedOutcome {
  const { code, message, cause } = ServiceError.from(thrown);
  return { outcome: { kind: 'failed', code, message, cause }, buffers: [] };
}
