import type { ServiceError } from '../errors.ts';
import type { EncodeAnswer } from '../request.ts';

/** What became of one image of several that are answered each for itself; `index` is its place in the request. */
export type ImageOutcome =
  | { readonly kind: 'encoded'; readonly index: number; readonly answer: EncodeAnswer }
  | { readonly kind: 'failed'; readonly index: number; readonly error: ServiceError };
