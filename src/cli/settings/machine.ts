import { readFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** What defaults depend on. */
export interface Machine {
  /** Cores that this process may use, at least 1. */
  readonly cores: number;
  /** Threads of libuv's pool, which decodes images. */
  readonly poolThreads: number;
  /** Where the user's caches are. */
  readonly cacheHome: string;
}

/** Looks at the machine, or at the container that it is to this process. */
export function readMachine(env: NodeJS.ProcessEnv): Machine {
  const quota = readCoreQuota();
  const xdg = env['XDG_CACHE_HOME'];
  return {
    cores: Math.max(1, Math.min(availableParallelism(), quota ?? Number.POSITIVE_INFINITY)),
    poolThreads: readPoolThreads(env['UV_THREADPOOL_SIZE']),
    cacheHome: xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'),
  };
}

/** The rule of libuv's threadpool.c: 4 when unset, 1 when not a positive number, 1024 at most. */
export function readPoolThreads(size: string | undefined): number {
  if (size === undefined) return 4;
  const threads = Number.parseInt(size, 10);
  return threads > 0 ? Math.min(threads, 1024) : 1;
}

/** Cores in a cgroup v2 `cpu.max`, "QUOTA PERIOD", rounded up; undefined when there is no limit. */
export function coreQuota(cpuMax: string): number | undefined {
  const [quota, period] = cpuMax.trim().split(' ').map(Number);
  if (quota === undefined || period === undefined) return undefined;
  const cores = Math.ceil(quota / period);
  return Number.isFinite(cores) && cores > 0 ? cores : undefined;
}

/** A container's CPU limit: os.availableParallelism() of Node 20 counts the host's cores all the same. */
function readCoreQuota(): number | undefined {
  try {
    return coreQuota(readFileSync('/sys/fs/cgroup/cpu.max', 'utf8'));
  } catch {
    return undefined;
  }
}
