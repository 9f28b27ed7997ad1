import { ServiceError } from '../errors/service-error.ts';

/** 0 done, 1 failed, 2 wrong usage or bad input. */
export type ExitCode = 0 | 1 | 2;

/** What a command's failure means to the shell, and the line that says it; a stack only where nobody foresaw it. */
export function describeFailure(thrown: unknown): { readonly exitCode: ExitCode; readonly text: string } {
  if (thrown instanceof ServiceError) return { exitCode: exitCodeOf(thrown), text: thrown.message };
  if (isSystemError(thrown)) return { exitCode: 1, text: `${thrown.message}.` };
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

/** The operating system's refusals say in one line what is wrong: a folder that is read-only, a full disk. */
function isSystemError(thrown: unknown): thrown is Error {
  return thrown instanceof Error && 'syscall' in thrown;
}
