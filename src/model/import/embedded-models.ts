import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { loadModelFolder } from '../load-folder.ts';
import type { EmbeddedName, Model } from '../model.ts';
import { fillFolder, removeLeftovers } from './publish-folder.ts';

/** Part of the folders' names. Raise it whenever the import makes another folder of the same checkpoint. */
const revision = 1;

/** The checkpoints of the package: this file runs from build/src/model/import. */
const checkpoints = fileURLToPath(new URL('../../../../weights/', import.meta.url));
const checkpointFiles = ['config.json', 'preprocessor_config.json', 'model.safetensors'];

/** Making an embedded model takes seconds, so older temporary files belong to a process that was killed. */
const leftoverAgeMs = 10 * 60_000;

/**
 * An embedded model, from the checkpoint in the package. The first process that needs it imports it into `cacheDir`, and
 * others find it there, in a folder that is named by the checkpoint's digest. A damaged one is made again.
 */
export async function ensureEmbeddedModel(
  name: EmbeddedName,
  cacheDir: string,
  checkpoint = join(checkpoints, name),
): Promise<Model> {
  const folder = join(cacheDir, `${name}-${await digestOf(checkpoint)}`);
  // They only take up space, and the folder may be read-only.
  await removeLeftovers(folder, leftoverAgeMs).catch(() => undefined);
  try {
    return await loadModelFolder(folder, name);
  } catch (error) {
    if (!isMissingOrDamaged(error))
      throw refused(`The embedded model ${name} cannot be read in ${cacheDir}`, error);
  }
  try {
    // Later starts need none of the import's files.
    const { writeCheckpointFolder } = await import('./import-checkpoint.ts');
    await fillFolder(folder, (temporary) =>
      writeCheckpointFolder(temporary, { source: checkpoint, precision: 'fp32' }),
    );
  } catch (error) {
    throw refused(`The embedded model ${name} cannot be made in ${cacheDir}`, error);
  }
  return loadModelFolder(folder, name);
}

/** Whether making a model folder again helps. It does not when the system refuses to read the one that is there. */
function isMissingOrDamaged(error: unknown): boolean {
  if (!(error instanceof ServiceError) || error.code !== 'invalid_argument') return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined || code === 'ENOENT' || code === 'ENOTDIR';
}

/** What the operating system refused, with what to do. Any other error is returned as it is. */
function refused(what: string, error: unknown): unknown {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (cause === undefined) return error;
  const message = `${what}: ${systemReason(cause)}. Set --cache-dir to a folder that can be written, or give --model.`;
  return new ServiceError(error instanceof ServiceError ? error.code : 'unavailable', message, { cause });
}

/** 16 hex digits, over all that the import reads and the revision. */
async function digestOf(checkpoint: string): Promise<string> {
  const hash = createHash('sha256').update(`${revision}\n`);
  for (const name of checkpointFiles) {
    const path = join(checkpoint, name);
    const bytes = await readFile(path).catch((error: unknown) => {
      const message = `${path}, of an embedded model, cannot be read: ${systemReason(error)}; install the package again.`;
      throw new ServiceError('unavailable', message, { cause: error });
    });
    hash.update(`${bytes.byteLength}\n`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}
