import { readFile } from 'node:fs/promises';
import { startService } from '../processes/service-process.ts';

/** A ViT-B's. */
export const memoryShape = { channels: 768, layers: 12, heads: 12, mlpChannels: 3072 } as const;

/** The memory of a service, in MiB, after its engines have run a view each. */
export interface Memory {
  readonly engines: number;
  /** What no other mapping shares. */
  readonly ownMiB: number;
  /** With its share of what several mappings have: weights that all engines map count once. */
  readonly proportionalMiB: number;
}

/** Starts a service on a model folder and reads its memory; undefined where there is no /proc. */
export async function memoryOf(
  folder: string,
  engines: number,
  flags: readonly string[],
): Promise<Memory | undefined> {
  const service = await startService([
    `--model=${folder}`,
    `--engines=${engines}`,
    '--threads=1',
    '--warm-up-ms=0',
    '--max-batch=1',
    ...flags,
  ]);
  try {
    const rollup = await readFile(`/proc/${service.pid}/smaps_rollup`, 'utf8').catch(() => '');
    const mebibytes = (field: string) =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024);
    if (rollup === '') return undefined;
    return { engines, ownMiB: mebibytes('Anonymous'), proportionalMiB: mebibytes('Pss') };
  } finally {
    await service.close();
  }
}
