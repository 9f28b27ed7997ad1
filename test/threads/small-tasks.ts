// Tasks for the tests of the worker pool.
import { ServiceError } from '../../src/errors/service-error.ts';
import { type MovedOutcome, taskOutcome } from '../../src/threads/task-outcome.ts';

const none = (): ArrayBuffer[] => [];

export function doubled(values: Uint8Array<ArrayBuffer>): Promise<MovedOutcome> {
  return taskOutcome(
    () => values.map((value) => 2 * value),
    ({ buffer }) => [buffer],
  );
}

export function refused(): Promise<MovedOutcome> {
  const cause = new Error('It is cut short.');
  return taskOutcome(() => {
    throw new ServiceError('invalid_argument', 'The file is damaged.', { cause });
  }, none);
}

export function broken(): Promise<MovedOutcome> {
  return taskOutcome(() => {
    throw new RangeError('no such index');
  }, none);
}

export function dying(): void {
  process.exit(3);
}
