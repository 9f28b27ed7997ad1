import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { formatVersion } from '../../src/model/manifest.ts';
import type { TowerGeometry } from '../../src/model/tower-geometry.ts';
import { so400m } from '../models/encoders.ts';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import { benchCache } from '../processes/paths.ts';
import { startService } from '../processes/service-process.ts';

export type Precision = 'fp32' | 'int8';

/** A ViT-B of 512 px. */
const geometry: TowerGeometry = { ...so400m, channels: 768, layers: 12, heads: 12, mlpChannels: 3072 };

/** The memory of a service, in MiB, after its engines have run a view each. */
export interface Memory {
  readonly engines: number;
  /** What no other mapping shares. */
  readonly ownMiB: number;
  /** With its share of what several mappings have: weights that all engines map count once. */
  readonly proportionalMiB: number;
}

/** A model folder with random weights, made once. */
export async function memoryModel(precision: Precision): Promise<string> {
  const folder = join(benchCache, `random-768x12-${precision}-${formatVersion}`);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const checkpoint = `${folder}-checkpoint`;
  await mkdir(benchCache, { recursive: true });
  try {
    await writeRandomCheckpoint(checkpoint, { geometry, dtype: 'F32', names: 'vision-only', seed: 1 });
    await importModel({ source: checkpoint, out: folder, features: ['last_hidden_state'], precision });
    return folder;
  } finally {
    await rm(checkpoint, { recursive: true, force: true });
  }
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
