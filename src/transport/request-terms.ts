import { priorities, type Priority, type RequestTerms } from '../admission/priority.ts';
import type { Caller } from '../admission/caller.ts';
import { ServiceError } from '../errors/service-error.ts';

/** Headers of HTTP, and keys of gRPC metadata. */
export const termsKeys = {
  priority: 'priority',
  timeout: 'request-timeout-ms',
  cache: 'cache-control',
} as const;

/**
 * A request's terms from its headers or metadata, its time counted from `startedMs` by performance.now(). Throws
 * `invalid_argument` for a priority or a timeout that cannot be. Of cache-control `no-store` and `no-cache` are
 * known, and mean the same here.
 */
export function readTerms(
  caller: Caller,
  startedMs: number,
  read: (key: string) => string | undefined,
): RequestTerms {
  const asked = priorityOf(read(termsKeys.priority));
  const timeoutMs = timeoutOf(read(termsKeys.timeout));
  return {
    caller,
    priority: caller.bulkOnly ? 'bulk' : asked,
    ...(timeoutMs === undefined ? {} : { deadlineAt: startedMs + timeoutMs }),
    noStore: /(^|,)\s*no-(store|cache)\s*(,|$)/i.test(read(termsKeys.cache) ?? ''),
  };
}

function priorityOf(text: string | undefined): Priority {
  if (text === undefined) return 'interactive';
  const known = priorities.find((priority) => priority === text);
  if (known !== undefined) return known;
  // Browsers and proxies send RFC 9218's `u=3, i`, which is about the order of bytes.
  if (/^\s*[ui](=|\s*(,|;|$))/.test(text)) return 'interactive';
  throw new ServiceError(
    'invalid_argument',
    `${termsKeys.priority} is ${JSON.stringify(text.slice(0, 64))}; it must be one of ${priorities.join(', ')}.`,
  );
}

const longestMs = 86_400_000;

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeoutMs = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (timeoutMs >= 1 && timeoutMs <= longestMs) return timeoutMs;
  throw new ServiceError(
    'invalid_argument',
    `${termsKeys.timeout} is ${JSON.stringify(text.slice(0, 64))}; it must be a whole number of milliseconds from 1 to ${longestMs}.`,
  );
}
