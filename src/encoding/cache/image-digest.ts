import type { ImageDigest, ImageInput } from '../../image/raster.ts';
import { sha256 } from './sha256.ts';

/**
 * Identifies an image: `sha256:` and the hash of a file's bytes, or `pixels:`, the size and the hash of raw pixels. Hashes
 * are 64 hex digits.
 */
export async function imageDigest(image: ImageInput | ImageDigest): Promise<string> {
  if (image.kind === 'digest') return image.digest;
  if (image.kind === 'file') return `sha256:${await sha256(image.bytes)}`;
  const { width, height, data } = image.raster;
  return `pixels:${width}x${height}:${await sha256(data)}`;
}
