import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { calibrate, type Calibration } from './calibrate.ts';
import { readGeometry, readPreprocessing, type ViewOptions } from './checkpoint-config.ts';
import { Checkpoint } from './checkpoint.ts';
import { describeModel } from '../load-folder.ts';
import type { Provenance } from '../manifest.ts';
import type { FeatureLayer, Model, Precision } from '../model.ts';
import type { ExportExaminer } from './onnx/export-examiner.ts';
import { isExport, writeExportFolder } from './onnx/write-export.ts';
import { publishFolder } from './publish-folder.ts';
import { writeModelFolder } from './write-folder.ts';

export interface ImportOptions extends ViewOptions {
  /**
   * Hugging Face folder: config.json, preprocessor_config.json, model.safetensors or its shards and index. Or an ONNX
   * file, by its suffix: see writeExportFolder.
   */
  readonly source: string;
  /** Where the folder came from, for model.json; its base name when absent. */
  readonly origin?: Pick<Provenance, 'source' | 'revision'> | undefined;
  /** Model folder to make. Must not exist, or be an empty folder, unless `force`. */
  readonly out: string;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  /** What int8 is measured with; without it every matrix becomes int8, unmeasured. */
  readonly calibration?: Calibration | undefined;
  /** Needed for an ONNX file, and for nothing else. */
  readonly examiner?: ExportExaminer | undefined;
  /** Replaces a model folder that is there already; never anything else. */
  readonly force?: boolean;
  /** Name of the returned model; the base name of `out` when absent. */
  readonly name?: string;
  /**
   * Called with the bytes of weights written so far and in all; the last call has both equal. For int8 it counts
   * twice:
   * what is measured, and what is kept.
   */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Ends the import with `cancelled`; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/**
 * Turns a checkpoint, or an exported graph, into a model folder. Every rejection is a ServiceError whose message
 * is one line that names the file or tensor at fault (`invalid_argument`; `cancelled` when the signal fired), and
 * leaves nothing behind.
 */
export async function importModel(options: ImportOptions): Promise<Model> {
  const { source, out, features, precision, calibration, name, force = false } = options;
  try {
    await requireSource(source);
    const manifest = await publishFolder(
      out,
      async (temporary) => {
        if (isExport(source)) {
          const { examiner } = options;
          if (examiner === undefined) throw new TypeError('an ONNX file is imported with an examiner');
          return writeExportFolder(temporary, { ...options, path: source, examiner }, options);
        }
        const geometry = await readGeometry(source, options);
        const preprocessing = await readPreprocessing(source, geometry, options);
        const checkpoint = await Checkpoint.open(source);
        const storedDtype = await checkpoint.dtype('embeddings.patch_embedding.weight');
        const provenance = { ...(options.origin ?? { source: basename(resolve(source)) }), storedDtype };
        const tower = { geometry, preprocessing, features, precision, source: checkpoint, trained: true };
        const contents = { ...tower, provenance };
        if (precision !== 'int8' || calibration === undefined) {
          return writeModelFolder(temporary, contents, options);
        }
        const int8 = await calibrate(join(temporary, 'calibration'), contents, calibration, options);
        calibration.onChosen?.(int8);
        const float32 = new Set(int8.float32);
        const formOf = (matrix: string) => (float32.has(matrix) ? 'exact' : 'int8');
        return writeModelFolder(
          temporary,
          { ...contents, formOf, provenance: { ...provenance, int8 } },
          options,
        );
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
