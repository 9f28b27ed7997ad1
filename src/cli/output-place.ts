import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalidArgument } from '../errors/invalid-argument.ts';
import { systemReason } from '../errors/system-reason.ts';
import { makeFolder } from '../model/import/publish-folder.ts';

/**
 * Makes a folder for a command's output, and its missing parents. Call it before the work whose result the folder takes:
 * rejects with `invalid_argument` if it cannot be made or written to.
 */
export async function openOutputFolder(folder: string): Promise<void> {
  await makeFolder(folder);
  await access(folder, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw invalidArgument(`${folder} cannot be written to: ${systemReason(error)}.`, error);
  });
}

/** The same for the folder of a file. Also rejects if `file` is a folder. */
export async function openOutputFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) throw invalidArgument(`${file} is a folder; name a file.`);
  await openOutputFolder(dirname(file));
}
