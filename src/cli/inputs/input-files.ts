import { readFile, stat } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

/** The size of a file in bytes; undefined if the system does not tell it. */
export async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/**
 * Reads a file named on the command line. Rejects with `invalid_argument` and the system's reason, and for a pipe or a
 * device, whose end may never come.
 */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    const found = await stat(file);
    if (found.isFile() || found.isDirectory()) return await readFile(file);
    throw new ServiceError('invalid_argument', 'it is a pipe or a device, not a file.');
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    // Node replaces the bytes of a name that are not UTF-8, and the system knows no such name.
    const isMisread = (error as NodeJS.ErrnoException).code === 'ENOENT' && file.includes('\ufffd');
    const reason = isMisread ? 'its name is not UTF-8: rename the file' : systemReason(error);
    throw new ServiceError('invalid_argument', `${reason}.`, { cause: error });
  }
}
