import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** 0 success, 1 failure, 2 wrong usage or bad input. */
export type ExitCode = 0 | 1 | 2;

/** The exit status of a failed command and the line to report. Only an unforeseen failure shows its stack. */
export function describeFailure(thrown: unknown): { readonly exitCode: ExitCode; readonly text: string } {
  if (thrown instanceof ServiceError) return { exitCode: exitCodeOf(thrown), text: thrown.message };
  if (isSystemError(thrown))
    return { exitCode: 1, text: `${thrown.path ?? thrown.syscall}: ${systemReason(thrown)}.` };
  return { exitCode: 1, text: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
}

function exitCodeOf({ code }: ServiceError): ExitCode {
  switch (code) {
    case 'invalid_argument':
    case 'not_found':
    case 'not_acceptable':
    case 'too_large':
    case 'unsupported_media':
      return 2;
    case 'failed_precondition':
    case 'unauthenticated':
    case 'overloaded':
    case 'cancelled':
    case 'deadline_exceeded':
    case 'unavailable':
    case 'internal':
      break;
  }
  return 1;
}

/** Errors of the operating system describe themselves in one line: a read-only folder, a full disk. */
function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown;
}
