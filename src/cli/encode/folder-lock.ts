import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';

export const lockName = 'manifest.lock';

/** The process that holds a lock. */
interface Holder {
  readonly host: string;
  /** The boot and the namespace in which the pid counts, as containers that share a host's name have their own; undefined where the system has none. */
  readonly space?: string | undefined;
  readonly pid: number;
  /** When it started, as the kernel counts; undefined where the kernel does not say. Tells processes with equal pids apart. */
  readonly start?: string | undefined;
}

/** How often a process renews its lock. */
const usualBeatMs = 10_000;
/** A lock older than this is stale. */
const staleMs = 60_000;

/** A folder that this process writes to. */
export interface FolderLock {
  /** Fires, with the error to report, when another process has taken the folder over, as after a suspension of this one. */
  readonly lost: AbortSignal;
  /** Rejects with that error once another process has taken the folder over. Whoever writes to the folder asks first. */
  readonly requireHeld: () => Promise<void>;
  readonly unlock: () => Promise<void>;
}

/**
 * Locks a folder for this process. Takes over the lock of a process that has ended: one of this host, which it looks for, or
 * one whose lock is stale, as that of a container that was replaced. Rejects with `failed_precondition` if another process
 * holds it.
 */
export async function lockFolder(folder: string, beatMs = usualBeatMs): Promise<FolderLock> {
  const path = join(folder, lockName);
  const own: Holder = {
    host: hostname(),
    space: await ownSpace(),
    pid: process.pid,
    start: await startOf(process.pid),
  };
  const ownText = JSON.stringify(own);
  let handle = await created(path, ownText);
  for (; handle === undefined; handle = await created(path, ownText)) {
    const text = await readFile(path, 'utf8').catch(ignoreMissing);
    if (text === undefined) continue;
    const holder = readHolder(text);
    const isLocal = holder?.host === own.host && holder.space === own.space;
    const isOver = isLocal ? await hasEnded(holder) : ((await ageMs(path)) ?? Infinity) > staleMs;
    if (!isOver) throw held(folder, path, holder, isLocal);
    await removeLeft(path, text, folder);
  }
  const lock = handle;
  const lost = new AbortController();
  const isOwn = async () => (await readFile(path, 'utf8').catch(ignoreMissing)) === ownText;
  const requireHeld = async () => {
    if (!(await isOwn())) lost.abort(takenOver(folder, path));
    lost.signal.throwIfAborted();
  };
  const renew = async () => {
    await requireHeld();
    await lock.write(ownText, 0);
  };
  // After a failure it tries again; a disk that fails for long fails the run's own files as well.
  const beat = setInterval(() => void renew().catch(() => undefined), beatMs).unref();
  return {
    lost: lost.signal,
    requireHeld,
    async unlock() {
      clearInterval(beat);
      await lock.close();
      if (await isOwn()) await rm(path);
    },
  };
}

/** A new file with this text, or undefined if there is a file. */
async function created(path: string, text: string): Promise<FileHandle | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'wx');
    await handle.write(text, 0);
    return handle;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    await handle?.close();
    if (handle !== undefined) await rm(path);
    throw error;
  }
}

/** The age of a file that may be gone, by the clock of the file system, which all hosts share. */
async function ageMs(path: string): Promise<number | undefined> {
  const probe = `${path}.${randomUUID()}`;
  try {
    await writeFile(probe, '');
    const file = await stat(path).catch(ignoreMissing);
    return file && (await stat(probe)).mtimeMs - file.mtimeMs;
  } finally {
    await rm(probe, { force: true });
  }
}

/**
 * Removes the lock of a process that has ended, unless another process has replaced it since it was read. One process at a time
 * does so, or a slow one would remove the lock of a faster one: the others are refused.
 */
async function removeLeft(path: string, text: string, folder: string): Promise<void> {
  const guardPath = `${path}.takeover`;
  const guard = await created(guardPath, '');
  if (guard === undefined) {
    if (((await ageMs(guardPath)) ?? 0) <= staleMs) throw held(folder, path, undefined, false);
    return rm(guardPath, { force: true });
  }
  try {
    if ((await readFile(path, 'utf8').catch(ignoreMissing)) === text) await rm(path);
  } finally {
    await guard.close();
    await rm(guardPath, { force: true });
  }
}

/** Whether a process of this host runs no more. */
async function hasEnded({ pid, start }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
    // Another user's process has this pid.
  }
  const now = await startOf(pid);
  return start !== undefined && now !== undefined && now !== start;
}

async function ownSpace(): Promise<string | undefined> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
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

function held(folder: string, path: string, holder: Holder | undefined, isLocal: boolean): ServiceError {
  const who = holder === undefined ? 'Another process' : `Process ${holder.pid} on ${holder.host}`;
  // A process of this host is known to run, whatever the age of its lock.
  const advice =
    isLocal && holder?.start !== undefined
      ? ''
      : ` If it has ended already, as a container that was replaced, run this again in a minute, or delete ${path}.`;
  return new ServiceError(
    'failed_precondition',
    `${who} writes to ${folder}. Wait until it has ended, or encode into another folder.${advice}`,
  );
}

function takenOver(folder: string, path: string): ServiceError {
  return new ServiceError(
    'failed_precondition',
    `Another process has taken over ${folder}, or ${path} was deleted. Run the same command again once no other process ` +
      'writes to it.',
  );
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
