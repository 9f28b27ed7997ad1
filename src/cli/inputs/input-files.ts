import { readFile, stat } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

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
    throw new ServiceError('invalid_argument', `${systemReason(error)}.`, { cause: error });
  }
}

/**
 * The output name of each input file, by `nameOf`. Throws `invalid_argument` if two files get the same name; `advice`
 * ends that sentence.
 */
export function outputNames(
  files: readonly string[],
  nameOf: (file: string) => string,
  advice: string,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const sources = new Map<string, string>();
  for (const file of files) {
    const name = nameOf(file);
    const other = sources.get(name);
    if (other !== undefined) {
      throw new ServiceError(
        'invalid_argument',
        `${other} and ${file} would both become ${name}; ${advice}.`,
      );
    }
    sources.set(name, file);
    names.set(file, name);
  }
  return names;
}
