import { readFile } from 'node:fs/promises';

/** CPU time that a process has had so far, in milliseconds. */
export interface ProcessCpu {
  readonly mainMs: number;
  /** Of all threads, those that have ended included; to 10 ms. */
  readonly allMs: number;
}

/** Linux counts a process's time in hundredths of a second, whatever the kernel's own clock (proc_pid_stat(5)). */
const msPerTick = 10;

/**
 * CPU time that a process's main thread has had so far, in milliseconds, from Linux's scheduler (nanosecond counter
 * of schedstat). Rejects elsewhere.
 */
export async function mainThreadCpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ', 1)[0]) / 1e6;
}

/** CPU time of a process's threads. Rejects where there is no Linux. */
export async function processCpu(pid: number): Promise<ProcessCpu> {
  const mainMs = await mainThreadCpuMs(pid);
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may contain anything. User and system time are fields 14 and 15 of the line.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { mainMs, allMs: (Number(fields[11]) + Number(fields[12])) * msPerTick };
}
