import { createHash, subtle } from 'node:crypto';
import type { ImageDigest, ImageInput } from '../image/image-input.ts';

/** Larger inputs are hashed on libuv's threads, which takes a copy: SHA-256 runs at 1 to 2 GB a second. */
const inlineBytes = 2 ** 20;

/**
 * What an image is known by, `sha256:` and 64 hex digits: of a file over its bytes as they came; of pixels over their
 * size and themselves, which no file can have.
 */
export async function imageDigest(image: ImageInput | ImageDigest): Promise<string> {
  if (image.kind === 'digest') return image.digest;
  if (image.kind === 'file') return `sha256:${await sha256(image.bytes)}`;
  const { width, height, data } = image.raster;
  return `pixels:${width}x${height}:${await sha256(data)}`;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  if (bytes.byteLength <= inlineBytes) return createHash('sha256').update(bytes).digest('hex');
  return Buffer.from(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex');
}
