import { ServiceError } from '../errors/service-error.ts';

/** Decoded pixels: RGB, uint8, row-major, `height * width * 3` bytes. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  /** Frees the pixels, where that need not be left to the garbage collector. The raster is empty afterwards. */
  readonly release?: () => void;
}

/** Pixels that are made as they are read, each row once and from top to bottom. */
export interface RowSource {
  readonly width: number;
  readonly height: number;
  /** Writes rows, packed RGB, to the start of `target`. A call starts at the row where the one before ended, or below. */
  readRows(from: number, to: number, target: Uint8Array): void;
}

/** Most pixels of an image by default: where Pillow starts to warn of a decompression bomb, 256 MiB as RGB. */
export const usualMaxPixels = 89_478_485;

/**
 * One image as the caller sent it: the bytes of a file, or pixels. Encoding takes ownership: it transfers the buffer
 * to another thread if the bytes or pixels span or own it, and the caller loses it.
 */
export type ImageInput = (
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'raster'; readonly raster: Raster }
) & {
  /** Whether nobody uses the rest of the buffer. */
  readonly ownsBuffer?: boolean;
};

/** An image the service may have seen before, by its file's `sha256:` and 64 hex digits. */
export interface ImageDigest {
  readonly kind: 'digest';
  readonly digest: string;
}

export const digestPattern = '^sha256:[0-9a-f]{64}$';

/** Parses a digest. Throws `invalid_argument`, naming the field `name`, if `text` is not one. */
export function digestOf(name: string, text: string): ImageDigest {
  if (new RegExp(digestPattern).test(text)) return { kind: 'digest', digest: text };
  throw new ServiceError(
    'invalid_argument',
    `${name} is ${JSON.stringify(text.slice(0, 80))}; it must be "sha256:" and 64 lower-case hexadecimal digits.`,
  );
}
