import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import type { AnswerMetadata } from '../answer-metadata.ts';
import type { TokenTensor } from '../tensor.ts';

/** The tokens of one image, and what they are. */
export interface ImageTokens {
  readonly tensor: TokenTensor;
  readonly metadata: AnswerMetadata;
}

/** What became of one image of several that are answered each by itself; `index` is its place in the request. */
export type ImageOutcome<Answer extends ImageTokens = ImageTokens> =
  | { readonly kind: 'encoded'; readonly index: number; readonly answer: Answer }
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
