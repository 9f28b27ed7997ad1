import { type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import type { Outcome } from '../../telemetry/metrics.ts';

/** A failure's code, or a refusal that only HTTP knows. */
export type ProblemCode = Exclude<Outcome, 'ok'>;

/** Every problem's HTTP status and title, total over {@link ProblemCode}. */
export const problemKinds = {
  invalid_argument: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'The API key is missing or wrong' },
  not_found: { status: 404, title: 'There is no such thing here' },
  not_acceptable: { status: 406, title: 'No answer can be given in this form' },
  failed_precondition: { status: 412, title: 'The model is not the one expected' },
  too_large: { status: 413, title: 'The request is over a limit' },
  unsupported_media: { status: 415, title: 'The media type is not supported' },
  overloaded: { status: 429, title: 'The service has no room' },
  cancelled: { status: 499, title: 'The client went away' },
  deadline_exceeded: { status: 504, title: 'The answer was not ready in time' },
  unavailable: { status: 503, title: 'The service is not available' },
  internal: { status: 500, title: 'The service failed' },
  method_not_allowed: { status: 405, title: 'The path has no such method' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  headers_too_large: { status: 431, title: 'The headers are over the limit' },
} as const satisfies Record<ProblemCode, { status: number; title: string }>;

/** An answer of application/problem+json (RFC 9457). */
export interface Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/**
 * The answer to a failure. `overloaded` and `unavailable` carry Retry-After in whole seconds, and the exact
 * wait in retry-after-ms.
 */
export function problem(
  failure: {
    readonly code: ProblemCode;
    readonly message: string;
    readonly retryAfterMs?: number | undefined;
  },
  requestId: string,
): Problem {
  const { status, title } = problemKinds[failure.code];
  const body = Buffer.from(
    JSON.stringify({
      type: `urn:siglip-hd:problem:${failure.code}`,
      title,
      status,
      detail: failure.message,
      code: failure.code,
      request_id: requestId,
    }),
  );
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'content-length': String(body.byteLength),
  };
  // Every 401 has to say how to come in (RFC 9110, 11.6.1).
  if (failure.code === 'unauthenticated') headers['www-authenticate'] = 'Bearer';
  if (failure.retryAfterMs !== undefined) {
    const waitMs = Math.max(1, Math.ceil(failure.retryAfterMs));
    headers['retry-after'] = String(Math.ceil(waitMs / 1000));
    headers['retry-after-ms'] = String(waitMs);
  }
  return { code: failure.code, status, headers, body };
}

/** A framework's error as one of the service's own: its 4xx are the caller's, the rest is internal. */
export function serviceError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError || !(thrown instanceof Error)) return ServiceError.from(thrown);
  if ('code' in thrown && thrown.code === 'FST_ERR_BAD_URL') {
    return new ServiceError('invalid_argument', 'The path is not percent-encoded as URLs are.', {
      cause: thrown,
    });
  }
  const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
  const code = typeof status === 'number' && status < 500 ? callersFault(status) : undefined;
  return code === undefined
    ? ServiceError.from(thrown)
    : new ServiceError(code, thrown.message, { cause: thrown });
}

function callersFault(status: number): ErrorCode {
  if (status === 404) return 'not_found';
  if (status === 413) return 'too_large';
  if (status === 415) return 'unsupported_media';
  return 'invalid_argument';
}
