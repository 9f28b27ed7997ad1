import type { ImageDigest, ImageInput } from '../../image/image-input.ts';
import { sha256 } from './sha256.ts';

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
