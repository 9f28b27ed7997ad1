import { ServiceError } from '../errors.ts';
import type { Model } from './model.ts';

/**
 * Reads a model folder and holds its files against model.json: sizes, and SHA-256 of the graph and the weights.
 * `name` is what it is served as; the folder's base name when absent. Rejects with `invalid_argument` and one sentence.
 */
export async function loadModelFolder(_folder: string, _name?: string): Promise<Model> {
  throw new ServiceError('internal', 'not built yet');
}
