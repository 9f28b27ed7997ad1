import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';

/**
 * The folder that has one of an export's JSON files `names`: the graph's own or the one above it, since onnx-community
 * keeps graphs in onnx/. Throws `invalid_argument` when neither has one.
 */
export function configFolder(path: string, ...names: readonly string[]): string {
  const folder = dirname(resolve(path));
  const found = [folder, dirname(folder)].find((each) => names.some((name) => existsSync(join(each, name))));
  if (found !== undefined) return found;
  throw invalidArgument(
    `${names.join(' or ')} is missing in ${folder} and in the folder above; an ONNX export is imported with the files of its repository.`,
  );
}
