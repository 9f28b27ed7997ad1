import { readFile } from 'node:fs/promises';
import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** Reads a file named on the command line. Rejects with `invalid_argument` and the system's reason. */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
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
