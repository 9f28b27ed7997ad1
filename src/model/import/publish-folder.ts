import { randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, lstat, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { manifestFile } from '../manifest.ts';

/** Starts the name of a folder inside the target in which it is prepared. */
const stagingPrefix = '.import-';

/**
 * Makes the folder `out` at once: `fill` writes into a temporary folder beside it, which is then renamed. An `out` that
 * nothing can be renamed over, such as the mount point of a volume, is filled in place, model.json last: until then it is
 * no model folder. Returns what `fill` returns. If anything fails, `out` is as it was and nothing is left behind. An `out`
 * that exists and is not empty is refused with `invalid_argument` before `fill`; with `force` a model folder is replaced.
 */
export async function publishFolder<Result>(
  out: string,
  fill: (temporary: string) => Promise<Result>,
  { force = false }: { readonly force?: boolean } = {},
): Promise<Result> {
  const target = resolve(out);
  await requireFree(target, force);
  const suffix = uniqueSuffix();
  const beside = `${target}.tmp-${suffix}`;
  const firstMade = await makeFolder(dirname(target));
  const inPlace = !(await isReplaceable(target, beside));
  const temporary = inPlace ? join(target, `${stagingPrefix}${suffix}`) : beside;
  try {
    await mkdir(temporary).catch((error: unknown) => {
      throw unmakeable(target, error);
    });
    const result = await fill(temporary);
    if (inPlace) await moveInto(target, temporary, force);
    else if (force) await replace(temporary, target, `${target}.old-${suffix}`);
    else await rename(temporary, target);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    await removeEmpty(dirname(target), firstMade ?? temporary);
    if (isTaken(error)) throw taken(target);
    throw error;
  }
}

/**
 * Fills the folder `out`, whose files are the same whoever writes them. `fill` writes into a temporary folder inside it, and
 * each file is then renamed over the one that is there, model.json last. So any number of processes may do this at once, and
 * one that reads `out` meanwhile never misses a file. If anything fails, no temporary files are left behind.
 */
export async function fillFolder(out: string, fill: (temporary: string) => Promise<unknown>): Promise<void> {
  const target = resolve(out);
  const firstMade = await makeFolder(target);
  const temporary = join(target, `${stagingPrefix}${uniqueSuffix()}`);
  try {
    await mkdir(temporary);
    await fill(temporary);
    await moveFiles(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (firstMade !== undefined) await removeEmpty(target, firstMade);
    throw error;
  }
}

/** Removes what processes that were killed in {@link fillFolder} have left in `folder`, if it is older than `ageMs`. */
export async function removeLeftovers(folder: string, ageMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!name.startsWith(stagingPrefix) || Date.now() - (await stat(path)).mtimeMs < ageMs) continue;
    await rm(path, { recursive: true, force: true });
  }
}

function uniqueSuffix(): string {
  return `${process.pid}-${randomBytes(4).toString('hex')}`;
}

/**
 * Whether a folder can be renamed over `target`, by trying it with an empty one, `probe`. It cannot if `target` is a
 * mount point, or if its parent is read-only.
 */
async function isReplaceable(target: string, probe: string): Promise<boolean> {
  if (!existsSync(target)) return true;
  try {
    await mkdir(probe);
    await rename(probe, target);
    return true;
  } catch (error) {
    await rm(probe, { recursive: true, force: true });
    // It is full, and the system looks for a mount first.
    return isTaken(error);
  }
}

/** Moves the files of `temporary` into the folder around it. Without its model.json it is no model folder meanwhile. */
async function moveInto(target: string, temporary: string, force: boolean): Promise<void> {
  await requireFree(target, force);
  await rm(join(target, manifestFile), { force: true });
  await moveFiles(temporary, target);
}

/** Moves the files of `temporary` into `target`, model.json last, and removes `temporary`. */
async function moveFiles(temporary: string, target: string): Promise<void> {
  const files = (await readdir(temporary)).filter((name) => name !== manifestFile);
  for (const name of [...files, manifestFile]) await rename(join(temporary, name), join(target, name));
  await rmdir(temporary);
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

/** Refuses a folder that cannot be made or written to. Makes nothing. Rejects with `invalid_argument`. */
export async function requireWritable(folder: string): Promise<void> {
  const target = resolve(folder);
  let place = target;
  try {
    while (!(await isFolder(place))) place = dirname(place);
    await access(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unmakeable(target, error);
  }
}

/** Refuses a target of {@link publishFolder} with contents that must not be replaced. */
export async function requireFree(target: string, force: boolean): Promise<void> {
  const entries = await readdir(target).catch(async (error: NodeJS.ErrnoException): Promise<string[]> => {
    if (error.code === 'ENOENT') {
      await isFolder(target).catch((reason: unknown) => {
        throw unmakeable(target, reason);
      });
      return [];
    }
    if (error.code === 'ENOTDIR') throw invalidArgument(`${target} is a file, or lies below one.`);
    throw error;
  });
  // A new ext4 volume has lost+found; an import that was killed may have left its temporary folder.
  if (entries.every((name) => name === 'lost+found' || name.startsWith(stagingPrefix))) return;
  if (!force) throw taken(target);
  if (!entries.includes(manifestFile)) {
    throw invalidArgument(`${target} is not a model folder, so it is not replaced.`);
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
  return invalidArgument(
    `${target} exists already; choose another folder, or replace a model folder with --force.`,
  );
}

/**
 * Makes `folder` and its missing parents. Returns the first that it made, or undefined when all were there. Rejects with
 * `invalid_argument` and one sentence.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  const target = resolve(folder);
  return makeMissing(target).catch((error: unknown) => {
    throw unmakeable(target, error);
  });
}

/** Not by mkdir's `recursive`: where the system lets nobody make folders, as in /proc, that never returns in Node 20. */
async function makeMissing(folder: string): Promise<string | undefined> {
  if (await isFolder(folder)) return undefined;
  const first = await makeMissing(dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Another process may have been first.
    if (error.code !== 'EEXIST') throw error;
  });
  return first ?? folder;
}

/** Whether the folder exists, or a link to it. Rejects if something else does, such as a link to nothing. */
async function isFolder(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    const link = await lstat(folder).catch(() => undefined);
    if (link?.isSymbolicLink()) throw new Error(`${folder} is a link to a folder that does not exist`);
  });
  if (found?.isDirectory() === false) throw new Error(`${folder} is a file`);
  return found !== undefined;
}

/** The error for a folder that the operating system refuses to make. */
function unmakeable(folder: string, error: unknown): ServiceError {
  return invalidArgument(`${folder} cannot be made: ${systemReason(error)}.`, error);
}
