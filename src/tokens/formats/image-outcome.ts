import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import type { EncodeAnswer } from '../../encoding/request.ts';

/** What became of one image of several that are answered each for itself; `index` is its place in the request. */
export type ImageOutcome =
  | { readonly kind: 'encoded'; readonly index: number; readonly answer: EncodeAnswer }
  | { readonly kind: 'failed'; readonly index: number; readonly error: ServiceError };

/** A failed image's failure, as answers of several images have it. */
export interface ImageFailure {
  readonly code: ErrorCode;
  readonly detail: string;
  /** Where the same image may be answered later. */
  readonly retry_after_ms?: number;
}

export function imageFailure({ code, message: detail, retryAfterMs }: ServiceError): ImageFailure {
  return { code, detail, ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }) };
}
