import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { loadModelFolder } from '../load-folder.ts';
import type { EmbeddedName, Model } from '../model.ts';
import { writeCheckpointFolder } from './import-checkpoint.ts';
import { publishFolder } from './publish-folder.ts';

/** Part of the folders' names. Raise it whenever the import makes another folder of the same checkpoint. */
const revision = 1;

/** The checkpoints of the package: this file runs from build/src/model/import. */
const checkpoints = fileURLToPath(new URL('../../../../weights/', import.meta.url));
const checkpointFiles = ['config.json', 'preprocessor_config.json', 'model.safetensors'];

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
  const find = async () => await loadModelFolder(folder, name).catch(() => undefined);
  const found = await find();
  if (found !== undefined) return found;
  const fill = (temporary: string) =>
    writeCheckpointFolder(temporary, { source: checkpoint, precision: 'fp32' });
  try {
    // A folder appears all at once, so one that does not load was damaged.
    await publishFolder(folder, fill, { own: existsSync(folder) });
  } catch (error) {
    // Another process may have been first; its folder is as good.
    const others = await find();
    if (others !== undefined) return others;
    if (error instanceof ServiceError) throw error;
    const message = `The embedded model ${name} cannot be made in ${cacheDir}: ${systemReason(error)}.`;
    throw new ServiceError('unavailable', message, { cause: error });
  }
  return loadModelFolder(folder, name);
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
