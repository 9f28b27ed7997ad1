import { readFile } from 'node:fs/promises';

/**
 * CPU time that a process's main thread has had so far, in milliseconds, from Linux's scheduler (nanosecond counter
 * of schedstat). Rejects elsewhere.
 */
export async function mainThreadCpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ', 1)[0]) / 1e6;
}
