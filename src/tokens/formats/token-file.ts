import { byteLengthOf, type TokenTensor } from '../tensor.ts';

/** Tokens in a format, ready to be sent or written to a file. */
export interface TokenFile {
  readonly contentType: string;
  /** Bytes of the whole file. */
  readonly contentLength: number;
  readonly body: TokenFileBody;
}

/**
 * A file's bytes, in order. `buffers` refer to the tensor's own parts and copy nothing. `slices` are made while they are
 * iterated, each in well under a millisecond; iterate them once.
 */
export type TokenFileBody =
  | { readonly kind: 'buffers'; readonly buffers: readonly Uint8Array[] }
  | { readonly kind: 'slices'; readonly slices: Iterable<Uint8Array> };

/** The little-endian values alone; shape and dtype travel in the metadata. */
export function rawFile({ parts }: TokenTensor): TokenFile {
  return {
    contentType: 'application/octet-stream',
    contentLength: byteLengthOf(parts),
    body: { kind: 'buffers', buffers: parts },
  };
}
