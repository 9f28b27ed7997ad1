/** The code of every failure that a caller can see. Both transports map each of them. */
export const errorCodes = [
  'invalid_argument',
  'unauthenticated',
  'not_found',
  'not_acceptable',
  'failed_precondition',
  'too_large',
  'unsupported_media',
  'overloaded',
  'cancelled',
  'deadline_exceeded',
  'unavailable',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The limits that a request can run into. */
export const bounds = ['views', 'request_bytes', 'unread_bytes', 'deadline'] as const;
export type Bound = (typeof bounds)[number];

const defaultRetryMs = 1000;

/** Whether the same request may succeed later. */
function isTemporary(code: ErrorCode): boolean {
  return code === 'overloaded' || code === 'unavailable';
}

/**
 * A failure with a code and a sentence for the caller. `cause` is logged and never sent. `retryAfterMs` is sent as
 * Retry-After with `overloaded` and `unavailable`, for which it defaults to one second.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  /** The faults, if there are several; `message` joins them. */
  readonly sentences: readonly string[] | undefined;
  readonly retryAfterMs: number | undefined;
  /** The limit that refused the request, for metrics. */
  readonly bound: Bound | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
      readonly bound?: Bound | undefined;
      readonly sentences?: readonly string[] | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.sentences = options.sentences;
    this.bound = options.bound;
    this.retryAfterMs = options.retryAfterMs ?? (isTemporary(code) ? defaultRetryMs : undefined);
  }

  /** The same failure with another message. */
  withMessage(message: string, sentences?: readonly string[]): ServiceError {
    const { cause, retryAfterMs, bound } = this;
    return new ServiceError(this.code, message, { cause, retryAfterMs, bound, sentences });
  }

  /** A thrown value as a ServiceError. Anything else becomes `internal`, with the value as its cause. */
  static from(thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown;
    return new ServiceError('internal', 'The service failed; its log has the cause under the request id.', {
      cause: thrown,
    });
  }
}

/**
 * Resolves with all values once all promises have settled. On failure, rejects with one ServiceError that has the first
 * failure's code and the sentences of all.
 */
export async function allOf<const Works extends readonly Promise<unknown>[]>(
  works: Works,
): Promise<{ -readonly [At in keyof Works]: Awaited<Works[At]> }> {
  const failures = (await Promise.allSettled(works)).flatMap((one) =>
    one.status === 'rejected' ? [ServiceError.from(one.reason)] : [],
  );
  const [first] = failures;
  if (first === undefined) return await Promise.all(works);
  if (failures.length === 1) throw first;
  throw first.withMessage(
    failures.map(({ message }) => message).join(' '),
    failures.flatMap(({ message, sentences = [message] }) => sentences),
  );
}
