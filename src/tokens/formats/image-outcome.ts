import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import type { AnswerMetadata } from '../answer-metadata.ts';
import type { TokenTensor } from '../tensor.ts';

/** The tokens of one image and their metadata. */
export interface ImageTokens {
  readonly tensor: TokenTensor;
  readonly metadata: AnswerMetadata;
  /** If requested, for each image 64 hex digits over all that its tokens depend on: image, model, projector, recipe and options. */
  readonly uuids: readonly string[];
}

/** The outcome of one of several images that are answered separately. `index` is its position in the request. */
export type ImageOutcome<Answer extends ImageTokens = ImageTokens> =
  | { readonly kind: 'encoded'; readonly index: number; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly index: number; readonly error: ServiceError };

/** Why an image failed, as answers of several images report it. */
export interface ImageFailure {
  readonly code: ErrorCode;
  readonly detail: string;
  /** Present if the same image may succeed later. */
  readonly retry_after_ms?: number;
}

export function imageFailure({ code, message: detail, retryAfterMs }: ServiceError): ImageFailure {
  return { code, detail, ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }) };
}
