import { ServiceError } from './service-error.ts';

/** A failure that the caller can mend: `message` says what is wrong with the input, and what to do. */
export function invalidArgument(message: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_argument', message, { cause });
}
