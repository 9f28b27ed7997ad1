import { readFile } from 'node:fs/promises';

/** A process's resident memory, looked at again and again. */
export interface ResidentWatch {
  /** Bytes, one for each look so far; none where there is no /proc. */
  readonly bytes: readonly number[];
  stop(): void;
}

export function watchResident(pid: number, everyMs = 1000): ResidentWatch {
  const bytes: number[] = [];
  const look = (): void => {
    void residentBytes(pid).then((now) => now !== undefined && bytes.push(now));
  };
  look();
  const timer = setInterval(look, everyMs);
  return { bytes, stop: () => clearInterval(timer) };
}

/** Resident memory of a process in bytes, from Linux's /proc; undefined elsewhere, or when it has ended. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
