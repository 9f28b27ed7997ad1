/** Tokens in a format, ready to be sent or written to a file. */
export interface TokenFile {
  readonly contentType: string;
  /** Bytes of the whole. */
  readonly contentLength: number;
  readonly body: TokenFileBody;
}

/**
 * `buffers`: the whole in order, the tensor's own parts among them, never copied. `slices`: made while it is
 * iterated, each slice at the cost of well under a millisecond; iterate it once.
 */
export type TokenFileBody =
  | { readonly kind: 'buffers'; readonly buffers: readonly Uint8Array[] }
  | { readonly kind: 'slices'; readonly slices: Iterable<Uint8Array> };

/** Bytes of all of them together. */
export function totalBytes(buffers: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer.byteLength;
  return bytes;
}
