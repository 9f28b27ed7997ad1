import { priorities, type Priority, type RequestTerms } from '../admission/priority.ts';
import type { Caller } from '../admission/caller.ts';
import type { EncodeRequest } from '../encoding/request.ts';
import { quoted } from '../errors/quoted.ts';
import { ServiceError } from '../errors/service-error.ts';

/** What a request takes from its call, beside its message or body. */
export type CallTerms = Required<Pick<EncodeRequest, 'terms' | 'signal'>> & Pick<EncodeRequest, 'trace'>;

/** The HTTP headers and keys of gRPC metadata that set a request's terms. */
export const termsKeys = {
  priority: 'priority',
  timeout: 'request-timeout-ms',
  cache: 'cache-control',
} as const;

/**
 * Reads a request's terms from its headers or metadata. Its timeout counts from `startedMs` by performance.now(). In
 * cache-control, `no-store` and `no-cache` mean the same; everything else is ignored. Throws `invalid_argument` for an
 * invalid priority or timeout.
 */
export function readTerms(
  caller: Caller,
  startedMs: number,
  read: (key: string) => string | undefined,
): RequestTerms {
  const requested = priorityOf(read(termsKeys.priority));
  const timeoutMs = timeoutOf(read(termsKeys.timeout));
  return {
    caller,
    priority: caller.bulkOnly ? 'bulk' : requested,
    noStore: /(^|,)\s*no-(store|cache)\s*(,|$)/i.test(read(termsKeys.cache) ?? ''),
    ...(timeoutMs === undefined ? {} : { deadlineAt: startedMs + timeoutMs }),
  };
}

function priorityOf(text: string | undefined): Priority {
  if (text === undefined) return 'interactive';
  const known = priorities.find((priority) => priority === text);
  if (known !== undefined) return known;
  // Browsers and proxies send RFC 9218's `u=3, i`, which orders responses and is not meant for us.
  if (/^\s*[ui](=|\s*(,|;|$))/.test(text)) return 'interactive';
  throw new ServiceError(
    'invalid_argument',
    `${termsKeys.priority} is ${quoted(text, 64)}; it must be one of ${priorities.join(', ')}.`,
  );
}

const longestMs = 86_400_000;

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeoutMs = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (timeoutMs >= 1 && timeoutMs <= longestMs) return timeoutMs;
  throw new ServiceError(
    'invalid_argument',
    `${termsKeys.timeout} is ${quoted(text, 64)}; it must be a whole number of milliseconds from 1 to ${longestMs}.`,
  );
}
