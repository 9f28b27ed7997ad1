import { type ErrorCode, ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** 0 success, 1 failure, 2 wrong usage or bad input. */
export type ExitCode = 0 | 1 | 2;

/** Failures that the user mends by giving something else. */
const usageCodes: ReadonlySet<ErrorCode> = new Set([
  'invalid_argument',
  'not_found',
  'not_acceptable',
  'too_large',
  'unsupported_media',
]);

/** The exit status of a failed command and the line to report. Only an unforeseen failure shows its stack. */
export function describeFailure(thrown: unknown): { readonly exitCode: ExitCode; readonly text: string } {
  if (thrown instanceof ServiceError)
    return { exitCode: usageCodes.has(thrown.code) ? 2 : 1, text: thrown.message };
  if (isSystemError(thrown))
    return { exitCode: 1, text: `${thrown.path ?? thrown.syscall}: ${systemReason(thrown)}.` };
  return { exitCode: 1, text: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
}

/** Errors of the operating system describe themselves in one line: a read-only folder, a full disk. */
function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown;
}
