import { stat } from 'node:fs/promises';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { type CheckpointOptions, writeCheckpointFolder } from './import-checkpoint.ts';
import { describeModel } from '../load-folder.ts';
import type { Manifest } from '../manifest.ts';
import type { Model } from '../model.ts';
import type { ExportExaminer } from './onnx/export-examiner.ts';
import { isExport, writeExportFolder } from './onnx/write-export.ts';
import { publishFolder } from './publish-folder.ts';

/**
 * `source` is a Hugging Face folder (config.json, processor_config.json or preprocessor_config.json, and model.safetensors or
 * pytorch_model.bin or the shards of either) or an ONNX file, by its suffix: see writeExportFolder. A calibrated int8 import
 * counts its progress twice: while it measures, and while it writes. `signal` ends the import with `cancelled`.
 */
export interface ImportOptions extends CheckpointOptions {
  /** Model folder to make. It must not exist, or must be empty, unless `force`. */
  readonly out: string;
  /** Needed for an ONNX file, and for nothing else. */
  readonly examiner?: ExportExaminer | undefined;
  /** Replaces a model folder; never anything else. */
  readonly force?: boolean;
  /** Name of the returned model; the base name of `out` when absent. */
  readonly name?: string;
}

/**
 * Turns a checkpoint, or an exported graph, into a model folder. Rejects with a ServiceError, and leaves nothing
 * behind: `invalid_argument` with one line that names the file or tensor at fault, or `cancelled` when the signal
 * fired.
 */
export async function importModel(options: ImportOptions): Promise<Model> {
  const { source, out, name, force = false } = options;
  try {
    await requireSource(source);
    const write = (folder: string) =>
      isExport(source) ? writeExport(folder, options) : writeCheckpointFolder(folder, options);
    return describeModel(await publishFolder(out, write, { force }), out, name);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const message = `Cannot write ${out}: ${systemReason(error)}.`;
    throw invalidArgument(message, error);
  }
}

function writeExport(folder: string, options: ImportOptions): Promise<Manifest> {
  const { source, examiner } = options;
  if (examiner === undefined) throw new TypeError('an ONNX file is imported with an examiner');
  return writeExportFolder(folder, { ...options, path: source, examiner }, options);
}

async function requireSource(source: string): Promise<void> {
  const found = await stat(source).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = isMissing ? 'does not exist' : `cannot be read: ${systemReason(error)}`;
    throw invalidArgument(`${source} ${problem}.`, error);
  });
  if (isExport(source)) {
    if (!found.isFile()) throw invalidArgument(`${source} is not a file.`);
    return;
  }
  if (!found.isDirectory()) throw invalidArgument(`${source} is neither a folder nor a .onnx file.`);
}
