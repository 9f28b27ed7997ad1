import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';

/**
 * The folder of an export that has `name`: the graph's own, or its parent, as in the layout of onnx-community, whose
 * graphs lie in onnx/. Throws `invalid_argument` when neither has it.
 */
export async function configFolder(path: string, name: string): Promise<string> {
  const folder = dirname(resolve(path));
  for (const each of [folder, dirname(folder)]) {
    try {
      await access(join(each, name));
      return each;
    } catch {
      // The next, or none.
    }
  }
  throw new ServiceError(
    'invalid_argument',
    `${name} is missing in ${folder} and in the folder above; an ONNX export is imported with the files of its repository.`,
  );
}
