import { ServiceError } from '../errors.ts';
import type { FeatureLayer, Model, Precision } from './model.ts';

export interface ImportOptions {
  /** Hugging Face folder: config.json, preprocessor_config.json, model.safetensors or its shards and index. */
  readonly source: string;
  /** Model folder to make. Must not exist, or be an empty folder, unless `force`. */
  readonly out: string;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  /** Replaces a model folder that is there already; never anything else. */
  readonly force?: boolean;
  /** Name of the returned model; the base name of `out` when absent. */
  readonly name?: string;
  /** Called with the checkpoint bytes read so far and in all; the last call has both equal. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Ends the import with `cancelled`; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/**
 * Turns a checkpoint into a model folder. Every rejection is a ServiceError whose message is one line that names the
 * file or tensor at fault (`invalid_argument`; `cancelled` when the signal fired), and leaves nothing behind.
 */
export async function importModel(_options: ImportOptions): Promise<Model> {
  throw new ServiceError('internal', 'not built yet');
}
