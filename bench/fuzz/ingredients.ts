import type { Corpus } from './case.ts';
import { pick, type Random } from './random.ts';

/** Where an image goes. */
export const encodeRoutes = ['/v1/encode', '/v1/teacher-encode', '/v1/anyres-encode'] as const;

/** One of the corpus' files. */
export function anImage(
  { images }: Corpus,
  random: Random,
): { readonly format: string; readonly bytes: Buffer } {
  const format = pick(random, Object.keys(images));
  return { format, bytes: images[format]! };
}
