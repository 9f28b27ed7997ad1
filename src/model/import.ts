import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ServiceError } from '../errors.ts';
import { systemReason } from '../system-reason.ts';
import { readGeometry, readPreprocessing } from './checkpoint-config.ts';
import { Checkpoint } from './checkpoint.ts';
import { describeModel } from './folder.ts';
import type { FeatureLayer, Model, Precision } from './model.ts';
import { isExport, writeExportFolder } from './onnx/write-export.ts';
import { publishFolder } from './publish-folder.ts';
import { writeModelFolder } from './write-folder.ts';

export interface ImportOptions {
  /**
   * Hugging Face folder: config.json, preprocessor_config.json, model.safetensors or its shards and index. Or an ONNX
   * file, by its suffix: see writeExportFolder.
   */
  readonly source: string;
  /** Model folder to make. Must not exist, or be an empty folder, unless `force`. */
  readonly out: string;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  /** Replaces a model folder that is there already; never anything else. */
  readonly force?: boolean;
  /** Name of the returned model; the base name of `out` when absent. */
  readonly name?: string;
  /** Called with the bytes of weights written so far and in all; the last call has both equal. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Ends the import with `cancelled`; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/**
 * Turns a checkpoint, or an exported graph, into a model folder. Every rejection is a ServiceError whose message is one line that names the
 * file or tensor at fault (`invalid_argument`; `cancelled` when the signal fired), and leaves nothing behind.
 */
export async function importModel(options: ImportOptions): Promise<Model> {
  const { source, out, features, precision, name, force = false } = options;
  try {
    await requireSource(source);
    const manifest = await publishFolder(
      out,
      async (temporary) => {
        if (isExport(source)) {
          return writeExportFolder(temporary, { path: source, features, precision }, options);
        }
        const geometry = await readGeometry(source);
        const preprocessing = await readPreprocessing(source, geometry.imageSize);
        const checkpoint = await Checkpoint.open(source);
        const storedDtype = await checkpoint.dtype('embeddings.patch_embedding.weight');
        const provenance = { source: basename(resolve(source)), storedDtype };
        const contents = { geometry, preprocessing, features, precision, source: checkpoint, provenance };
        return writeModelFolder(temporary, { ...contents, trained: true }, options);
      },
      { force },
    );
    return describeModel(manifest, out, name);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const message = `Cannot write ${out}: ${systemReason(error)}.`;
    throw new ServiceError('invalid_argument', message, { cause: error });
  }
}

async function requireSource(source: string): Promise<void> {
  const found = await stat(source).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = isMissing ? 'does not exist' : `cannot be read: ${systemReason(error)}`;
    throw new ServiceError('invalid_argument', `${source} ${problem}.`, { cause: error });
  });
  if (isExport(source)) {
    if (!found.isFile()) throw new ServiceError('invalid_argument', `${source} is not a file.`);
    return;
  }
  if (!found.isDirectory()) throw new ServiceError('invalid_argument', `${source} is not a folder.`);
}
