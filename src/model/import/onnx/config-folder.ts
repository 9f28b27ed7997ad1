import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';

/**
 * The folder that has one of an export's JSON files `names`: the graph's own or the one above it, since onnx-community
 * keeps graphs in onnx/. Throws `invalid_argument` when neither has one.
 */
export async function configFolder(path: string, ...names: readonly string[]): Promise<string> {
  const folder = dirname(resolve(path));
  for (const each of [folder, dirname(folder)]) {
    for (const name of names) {
      try {
        await access(join(each, name));
        return each;
      } catch {
        // Not in this one.
      }
    }
  }
  throw invalidArgument(
    `${names.join(' or ')} is missing in ${folder} and in the folder above; an ONNX export is imported with the files of its repository.`,
  );
}
