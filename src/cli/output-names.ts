import { ServiceError } from '../errors/service-error.ts';

/**
 * What each input file's output is called, by `nameOf`. Throws `invalid_argument` when two would become one;
 * `advice` ends that sentence.
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
