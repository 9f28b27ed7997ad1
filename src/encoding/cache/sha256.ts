import { createHash, subtle } from 'node:crypto';

/** Larger inputs are copied and hashed on libuv's threads, because SHA-256 runs at only 1 to 2 GB per second. */
const inlineBytes = 2 ** 20;

/** The SHA-256 of bytes, as 64 hex digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (bytes.byteLength <= inlineBytes) return createHash('sha256').update(bytes).digest('hex');
  return Buffer.from(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex');
}
