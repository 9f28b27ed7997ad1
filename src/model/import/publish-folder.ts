import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { makeFolder, unmakeable } from './make-folder.ts';
import { manifestFile } from '../manifest.ts';

/**
 * Makes the folder `out` all at once: `fill` writes into a temporary folder beside it, which is then renamed. Gives
 * what `fill` gives. When anything fails nothing of it is left and `out` is as it was. An `out` that is there
 * already, other than an empty folder, is refused with `invalid_argument`, before `fill`; with `force` a model
 * folder is replaced, and with `own`, for a folder of the service's own, whatever is there.
 */
export async function publishFolder<Result>(
  out: string,
  fill: (temporary: string) => Promise<Result>,
  { force = false, own = false }: { readonly force?: boolean; readonly own?: boolean } = {},
): Promise<Result> {
  const target = resolve(out);
  if (!own) await requireFree(target, force);
  const suffix = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = `${target}.tmp-${suffix}`;
  const firstMade = await makeFolder(dirname(target));
  try {
    await mkdir(temporary).catch((error: unknown) => {
      throw unmakeable(target, error);
    });
    const result = await fill(temporary);
    await (force || own ? replace(temporary, target, `${target}.old-${suffix}`) : rename(temporary, target));
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    await removeEmpty(dirname(target), firstMade ?? temporary);
    if (isTaken(error)) throw taken(target);
    throw error;
  }
}

/** Removes `folder` and its parents up to `first`, as long as they are empty. */
async function removeEmpty(folder: string, first: string): Promise<void> {
  for (let next = folder; next.startsWith(first); next = dirname(next)) {
    try {
      await rmdir(next);
    } catch {
      return;
    }
  }
}

/** Refuses a target that {@link publishFolder} would refuse, for who has work to do before. */
export async function requireFree(target: string, force: boolean): Promise<void> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new ServiceError('invalid_argument', `${target} is a file, or lies below one.`);
    throw error;
  });
  if (entries.length === 0) return;
  if (!force) throw taken(target);
  if (!entries.includes(manifestFile)) {
    throw new ServiceError('invalid_argument', `${target} is not a model folder, so it is not replaced.`);
  }
}

async function replace(temporary: string, target: string, old: string): Promise<void> {
  try {
    await rename(target, old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return rename(temporary, target);
  }
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  return rm(old, { recursive: true, force: true });
}

/** Whether a rename failed because another process made the folder first. */
export function isTaken(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOTEMPTY' || code === 'EEXIST';
}

function taken(target: string): ServiceError {
  return new ServiceError(
    'invalid_argument',
    `${target} exists already; choose another folder, or replace a model folder with --force.`,
  );
}
