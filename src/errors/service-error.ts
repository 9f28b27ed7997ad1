/** Every failure that a caller can be told of. The transports' tables are total over this list. */
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

/** What there was no room in, or no time for. */
export const bounds = ['views', 'request_bytes', 'unread_bytes', 'deadline'] as const;
export type Bound = (typeof bounds)[number];

/** Where nothing better is known. */
const usualRetryMs = 1000;

/** Whether the same request may succeed later. */
function isPassing(code: ErrorCode): boolean {
  return code === 'overloaded' || code === 'unavailable';
}

/**
 * A failure with a code and a sentence for the caller. `cause` is logged and never sent; `retryAfterMs`
 * goes out as Retry-After with `overloaded` and `unavailable`, a second where nothing is said.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  /** For metrics. */
  readonly bound: Bound | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
      readonly bound?: Bound | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.bound = options.bound;
    this.retryAfterMs = options.retryAfterMs ?? (isPassing(code) ? usualRetryMs : undefined);
  }

  /** The same failure in other words. */
  withMessage(message: string): ServiceError {
    return new ServiceError(this.code, message, this);
  }

  /** Any thrown value as a ServiceError; what is not one becomes `internal` with the value as its cause. */
  static from(thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown;
    return new ServiceError('internal', 'The service failed; its log names the request id.', {
      cause: thrown,
    });
  }
}

/**
 * All values, once all are settled. Rejects with one ServiceError, of the first failure's code, that says what
 * each failed for.
 */
export async function allOf<const Works extends readonly Promise<unknown>[]>(
  works: Works,
): Promise<{ -readonly [At in keyof Works]: Awaited<Works[At]> }> {
  const failures = (await Promise.allSettled(works)).flatMap((one) =>
    one.status === 'rejected' ? [ServiceError.from(one.reason)] : [],
  );
  const [first] = failures;
  if (first === undefined) return await Promise.all(works);
  throw failures.length === 1 ? first : first.withMessage(failures.map(({ message }) => message).join(' '));
}
