import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where and when the figures were taken. */
export interface MachineLine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly date: string;
  /** Load average of the last minute before the first section: above about 0.3 the machine was not quiet. */
  readonly load: number;
}

export function readMachine(): MachineLine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    load: loadavg()[0] ?? 0,
  };
}

export function machineText({ cpu, cores, memoryGiB, kernel, node, date, load }: MachineLine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}, Node ${node}, ${date} UTC, load before ${load.toFixed(2)}`;
}
