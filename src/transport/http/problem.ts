import { type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import type { Outcome } from '../../telemetry/metrics.ts';

/** The code of a failure, or of a refusal that only HTTP has. */
export type ProblemCode = Exclude<Outcome, 'ok'>;

/** HTTP status and title of every problem. */
export const problemKinds = {
  invalid_argument: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'The API key is missing or wrong' },
  not_found: { status: 404, title: 'Not found' },
  not_acceptable: { status: 406, title: 'No answer can be given in this form' },
  failed_precondition: { status: 412, title: 'The model does not fit the request' },
  too_large: { status: 413, title: 'The request is over a limit' },
  unsupported_media: { status: 415, title: 'The media type is not supported' },
  overloaded: { status: 429, title: 'The service has no room' },
  cancelled: { status: 499, title: 'The client went away' },
  deadline_exceeded: { status: 504, title: 'The answer was not ready in time' },
  unavailable: { status: 503, title: 'The service is not available' },
  internal: { status: 500, title: 'The service failed' },
  method_not_allowed: { status: 405, title: 'The path does not take this method' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  headers_too_large: { status: 431, title: 'The headers are over the limit' },
} as const satisfies Record<ProblemCode, { status: number; title: string }>;

/** A refusal whose code only HTTP has. */
export class HttpRefusal extends ServiceError {
  readonly problemCode: Exclude<ProblemCode, ErrorCode>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    problemCode: Exclude<ProblemCode, ErrorCode>,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super('invalid_argument', message);
    this.problemCode = problemCode;
    this.headers = headers;
  }
}

/** An answer of application/problem+json (RFC 9457). */
export interface Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * The answer to a failure. Retry-After gives the wait in whole seconds, retry-after-ms exactly. `hasError` adds the member
 * `error`, which clients of the Open Inference Protocol read.
 */
export function problem(failure: ServiceError, requestId: string, hasError = false): Problem {
  const code = failure instanceof HttpRefusal ? failure.problemCode : failure.code;
  const { status, title } = problemKinds[code];
  const fields = {
    type: `urn:siglip-hd:problem:${code}`,
    title,
    status,
    detail: failure.message,
    code,
    request_id: requestId,
    ...(hasError ? { error: failure.message } : {}),
  };
  const body = Buffer.from(JSON.stringify(fields));
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'content-length': String(body.byteLength),
    ...(failure instanceof HttpRefusal ? failure.headers : {}),
  };
  // Every 401 must name a scheme to authenticate with (RFC 9110, 11.6.1).
  if (code === 'unauthenticated') headers['www-authenticate'] = 'Bearer';
  if (failure.retryAfterMs !== undefined) {
    const waitMs = Math.max(1, Math.ceil(failure.retryAfterMs));
    headers['retry-after'] = String(Math.ceil(waitMs / 1000));
    headers['retry-after-ms'] = String(waitMs);
  }
  return { code, status, headers, body };
}

/** A thrown value as a ServiceError. A 4xx of fastify is the caller's fault; anything else unexpected is `internal`. */
export function serviceError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError || !(thrown instanceof Error)) return ServiceError.from(thrown);
  if ('code' in thrown && thrown.code === 'FST_ERR_BAD_URL') {
    return new ServiceError('invalid_argument', 'The path is not percent-encoded correctly.', {
      cause: thrown,
    });
  }
  const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
  if (typeof status !== 'number' || status >= 500) return ServiceError.from(thrown);
  return new ServiceError(callersFault(status), thrown.message, { cause: thrown });
}

function callersFault(status: number): ErrorCode {
  if (status === 404) return 'not_found';
  if (status === 413) return 'too_large';
  if (status === 415) return 'unsupported_media';
  return 'invalid_argument';
}
