/** More than a message has beside its image: a prefix, options and names. */
const headBytes = 4 * 1024;

/**
 * Whether only this image's message lies in its buffer. grpc-js joins the frames of a message in a new buffer, and an HTTP
 * body has one of its own. A small message lies in Node's shared pool, but fills less than half of it.
 */
export function isAlone({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength - byteLength < headBytes;
}
