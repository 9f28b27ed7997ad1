import { ServiceError } from '../errors/service-error.ts';
import type { Raster } from './raster.ts';

/**
 * One image as it came: a file's bytes, or pixels that the caller had already. Whoever encodes it takes it over: a
 * buffer that the bytes or the pixels span is transferred to another thread, and the caller loses it.
 */
export type ImageInput =
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'raster'; readonly raster: Raster };

/** An image that the service may have seen before, by its file's `sha256:` and 64 hex digits. */
export interface ImageDigest {
  readonly kind: 'digest';
  readonly digest: string;
}

export const digestPattern = '^sha256:[0-9a-f]{64}$';

/** The image of that digest. Throws `invalid_argument`, calling it `name`, for what is none. */
export function digestOf(name: string, text: string): ImageDigest {
  if (new RegExp(digestPattern).test(text)) return { kind: 'digest', digest: text };
  throw new ServiceError(
    'invalid_argument',
    `${name} is ${JSON.stringify(text.slice(0, 80))}; it must be "sha256:" and 64 lower-case hexadecimal digits.`,
  );
}
