import { open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';

export const lockName = 'manifest.lock';

/** The process that holds a lock. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When it started, as the kernel counts; undefined where the kernel does not say. Tells processes with equal pids apart. */
  readonly start?: string | undefined;
}

/**
 * Locks a folder for this process, and resolves with what unlocks it. A lock that a killed process of this host left is taken
 * over. Rejects with `failed_precondition` if another process holds it, or one of another host may.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  const own: Holder = { host: hostname(), pid: process.pid, start: await startOf(process.pid) };
  while (!(await created(path, JSON.stringify(own)))) {
    const text = await readFile(path, 'utf8').catch(ignoreMissing);
    if (text === undefined) continue;
    const holder = readHolder(text);
    if (holder === undefined || !(await hasEnded(holder, own.host))) throw held(folder, path, holder);
    await removeLeft(path, text, folder);
  }
  return async () => rm(path, { force: true });
}

async function created(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(text);
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a process that has ended, unless another process has replaced it since it was read. */
async function removeLeft(path: string, text: string, folder: string): Promise<void> {
  const moved = `${path}.${process.pid}`;
  try {
    await rename(path, moved);
  } catch (error) {
    ignoreMissing(error);
    return;
  }
  const found = await readFile(moved, 'utf8');
  if (found === text) return rm(moved);
  await rename(moved, path);
  throw held(folder, path, readHolder(found));
}

/** Whether the holder is a process of this host that runs no more. */
async function hasEnded({ host, pid, start }: Holder, ownHost: string): Promise<boolean> {
  if (host !== ownHost) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return start !== (await startOf(pid));
}

/** When a process started, in the kernel's ticks since the boot. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name, the second field, is in parentheses and may have spaces; the start is the 22nd field.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

function readHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // Its process has not written it yet, or was killed before it did.
    return undefined;
  }
}

function held(folder: string, path: string, holder: Holder | undefined): ServiceError {
  const who = holder === undefined ? 'Another process' : `Process ${holder.pid} on ${holder.host}`;
  return new ServiceError(
    'failed_precondition',
    `${who} writes to ${folder}. Wait until it has ended, or encode into another folder. ` +
      `If it no longer runs, delete ${path}.`,
  );
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
