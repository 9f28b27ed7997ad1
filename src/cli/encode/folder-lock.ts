import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ServiceError } from '../../errors/service-error.ts';

export const lockName = 'manifest.lock';

/** How often a process renews its lock. */
const usualBeatMs = 1000;
/** A lock that is not renewed for so many beats was left by a process that has ended. */
const mostBeats = 5;

/** A folder that this process writes to. */
export interface FolderLock {
  /** Fires, with the error to report, when another process has taken the folder over, as after a suspension of this one. */
  readonly lost: AbortSignal;
  readonly unlock: () => Promise<void>;
}

/**
 * Locks a folder for this process, which renews the lock as long as it holds it. Watches a lock that is there for five seconds, and
 * takes it over if nobody renews it. Rejects with `failed_precondition` if another process does, and when the signal fires.
 */
export async function lockFolder(
  folder: string,
  signal: AbortSignal,
  beatMs = usualBeatMs,
): Promise<FolderLock> {
  const path = join(folder, lockName);
  const own = `Process ${process.pid} on ${hostname()}\n${randomUUID()}\n`;
  let beats = 0;
  const write = async (flag: 'wx' | 'w' | 'r+') => writeFile(path, `${own}${(beats += 1)}`, { flag });
  const isOwn = async () => (await textOf(path))?.startsWith(own) === true;
  while (!(await write('wx').then(() => true, ignoreExisting))) {
    await requireLeft(folder, path, signal, beatMs);
    await write('w');
    // Of several processes that take it over at once, the last one to write has it.
    await wait(beatMs, undefined, { signal });
    if (await isOwn()) break;
  }
  const lost = new AbortController();
  const renew = async () => {
    if (await isOwn()) await write('r+');
    else lost.abort(takenOver(folder, path));
  };
  // After a failure it tries again; a disk that fails for long fails the run's own files as well.
  let renewing = Promise.resolve();
  const beat = (): void => {
    renewing = renewing.then(renew).catch(() => undefined);
  };
  const timer = setInterval(beat, beatMs).unref();
  return {
    lost: lost.signal,
    async unlock() {
      clearInterval(timer);
      await renewing;
      if (await isOwn()) await rm(path);
    },
  };
}

/** Resolves when a lock is gone, or when nobody has renewed it for a while. */
async function requireLeft(folder: string, path: string, signal: AbortSignal, beatMs: number): Promise<void> {
  const first = await textOf(path);
  for (let beat = 0; beat < mostBeats; beat += 1) {
    await wait(beatMs, undefined, { signal });
    const text = await textOf(path);
    if (text === undefined) return;
    if (text === first) continue;
    const [holder] = text.split('\n');
    throw new ServiceError(
      'failed_precondition',
      `${holder} writes to ${folder}. Wait until it has ended, or encode into another folder.`,
    );
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
}

function ignoreExisting(error: NodeJS.ErrnoException): false {
  if (error.code !== 'EEXIST') throw error;
  return false;
}

function takenOver(folder: string, path: string): ServiceError {
  return new ServiceError(
    'failed_precondition',
    `Another process has taken over ${folder}: ${path} is no longer this process's, as after a suspension. Run the same ` +
      'command again once the other process has ended.',
  );
}
