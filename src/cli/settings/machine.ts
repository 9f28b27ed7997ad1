import { readFileSync } from 'node:fs';
import { availableParallelism, homedir, networkInterfaces } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** The facts that defaults depend on. */
export interface Machine {
  /** Cores that this process may use, at least 1. */
  readonly cores: number;
  /** Threads of libuv's pool, which decodes images. */
  readonly poolThreads: number;
  /** The user's cache folder; undefined for a user without a home. */
  readonly cacheHome: string | undefined;
  /** Whether a network interface has an IPv6 address. */
  readonly hasIpv6: boolean;
}

/** Reads the facts of the machine, or of the container that this process runs in. */
export function readMachine(env: NodeJS.ProcessEnv): Machine {
  const quota = readCoreQuota();
  return {
    cores: Math.max(1, Math.min(availableParallelism(), quota ?? Number.POSITIVE_INFINITY)),
    poolThreads: readPoolThreads(env['UV_THREADPOOL_SIZE']),
    cacheHome: readCacheHome(env),
    hasIpv6: readHasIpv6(),
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

/** A container's CPU limit. os.availableParallelism() of Node 20 ignores it and counts the host's cores. */
function readCoreQuota(): number | undefined {
  try {
    return coreQuota(readFileSync('/sys/fs/cgroup/cpu.max', 'utf8'));
  } catch {
    return undefined;
  }
}

function readCacheHome({ XDG_CACHE_HOME: xdg }: NodeJS.ProcessEnv): string | undefined {
  if (xdg !== undefined && isAbsolute(xdg)) return xdg;
  try {
    const home = homedir();
    return isAbsolute(home) ? join(home, '.cache') : undefined;
  } catch {
    // Without HOME it is looked up in passwd, which has no entry for the arbitrary user ids of OpenShift.
    return undefined;
  }
}

function readHasIpv6(): boolean {
  try {
    return Object.values(networkInterfaces()).some((each) => each?.some(({ family }) => family === 'IPv6'));
  } catch {
    // A sandbox may hide the interfaces.
    return false;
  }
}
