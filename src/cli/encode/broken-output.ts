import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

/** The error of output that cannot go on after a failed write: all later images would fail as well. */
export function brokenOutput(path: string, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const { path: file = path } = error as NodeJS.ErrnoException;
  return new ServiceError('failed_precondition', `${file} cannot be written: ${systemReason(error)}.`, {
    cause: error,
  });
}
