import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

/**
 * Makes `folder` and the parents that are missing, and gives the first one made; undefined when all were there.
 * Rejects with `invalid_argument` and one sentence.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  const target = resolve(folder);
  try {
    const missing: string[] = [];
    for (let next = target; !(await isFolder(next)); next = dirname(next)) missing.unshift(next);
    // Not with mkdir's own `recursive`: where the system takes no folders, as below /proc, Node 20 then never
    // returns.
    for (const each of missing) await makeOne(each);
    return missing[0];
  } catch (error) {
    throw unmakeable(target, error);
  }
}

/** The refusal of a folder that the operating system does not let be made. */
export function unmakeable(folder: string, error: unknown): ServiceError {
  return new ServiceError('invalid_argument', `${folder} cannot be made: ${systemReason(error)}.`, {
    cause: error,
  });
}

/** Whether it is a folder; false when there is nothing. Rejects when it is a file, or lies below one. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  throw new Error(`${path} is a file`);
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    // Another process may have been first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await isFolder(folder))) throw error;
  }
}
