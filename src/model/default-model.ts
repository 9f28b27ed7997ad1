import { ServiceError } from '../errors.ts';
import type { Model } from './model.ts';

/**
 * The embedded default, named `untrained`: SigLIP-shaped (512 px, 1,024 tokens), seeded random weights. Made in
 * `cacheDir` by the first process that needs it, found there by the others.
 */
export async function ensureDefaultModel(_cacheDir: string): Promise<Model> {
  throw new ServiceError('internal', 'not built yet');
}
