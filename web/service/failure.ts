/** Why something that was asked of the service did not come, in words for a person. */
export interface Failure {
  readonly kind: 'refused' | 'unreachable' | 'broken';
  readonly title: string;
  readonly detail: string;
  /** The HTTP status of a refusal. */
  readonly status?: number;
  /** The service's code; it is in the docs' table of errors. */
  readonly code?: string;
  readonly requestId?: string;
  readonly retryAfterMs?: number;
}

/** A failure as an exception. */
export class ServiceFailure extends Error {
  override readonly name = 'ServiceFailure';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.title}: ${failure.detail}`);
    this.failure = failure;
  }
}

/** What to show for a thrown value. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ServiceFailure) return thrown.failure;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return { kind: 'broken', title: 'The page failed', detail };
}

/** Reads a refusal: a problem of RFC 9457, or what a proxy answered in its place. */
export async function refusalOf(response: Response): Promise<Failure> {
  const { status } = response;
  const retryAfterMs = retryAfterMsOf(response.headers);
  const more = { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('json')) {
    const { title, detail, code, request_id: requestId } = (await response.json()) as Record<string, string>;
    return {
      kind: 'refused',
      title: title ?? `Status ${status}`,
      detail: detail ?? '',
      ...(code === undefined ? {} : { code }),
      ...(requestId === undefined ? {} : { requestId }),
      ...more,
    };
  }
  return {
    kind: status >= 502 && status <= 504 ? 'unreachable' : 'refused',
    title: `Status ${status}`,
    detail: 'The answer is not from the service; a proxy may have given it.',
    ...more,
  };
}

/** When to try again. Proxies give `retry-after` alone, in seconds or as a date, which the page leaves unread. */
function retryAfterMsOf(headers: Headers): number | undefined {
  const ms = headers.get('retry-after-ms');
  if (ms !== null) return Number(ms);
  const seconds = headers.get('retry-after') ?? '';
  return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

/** Refusals of the caller or the moment, not of what the request asks for. */
const passingStatuses: ReadonlySet<number | undefined> = new Set([401, 408, 429]);

/** Whether the same request may succeed later. A refusal without a code comes from a proxy, whose routes may change. */
export function mayPassLater({ kind, code, status = 500 }: Failure): boolean {
  return kind !== 'refused' || code === undefined || status >= 500 || passingStatuses.has(status);
}

/** Whether the request failed because the service was away, so that it may succeed later as it is. */
export function isLost({ kind, code }: Failure): boolean {
  return kind === 'unreachable' || code === 'unavailable';
}
