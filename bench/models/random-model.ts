import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { loadModelFolder } from '../../src/model/load-folder.ts';
import { formatVersion } from '../../src/model/manifest.ts';
import type { Model, Precision } from '../../src/model/model.ts';
import type { TowerGeometry } from '../../src/model/tower-geometry.ts';
import { benchCache } from '../processes/paths.ts';
import { so400m } from './encoders.ts';
import { writeRandomCheckpoint } from './random-checkpoint.ts';

/** A model with random weights, made once as a user would: a checkpoint, imported. */
export async function randomModel(
  shape: Pick<TowerGeometry, 'channels' | 'layers' | 'heads' | 'mlpChannels'>,
  precision: Precision = 'fp32',
): Promise<Model> {
  const folder = join(benchCache, `random-${shape.channels}x${shape.layers}-${precision}-${formatVersion}`);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return await loadModelFolder(folder);
  const checkpoint = `${folder}-checkpoint`;
  const geometry = { ...so400m, ...shape };
  await mkdir(benchCache, { recursive: true });
  try {
    await writeRandomCheckpoint(checkpoint, { geometry, dtype: 'F32', names: 'vision-only', seed: 1 });
    return await importModel({ source: checkpoint, out: folder, features: ['last_hidden_state'], precision });
  } finally {
    await rm(checkpoint, { recursive: true, force: true });
  }
}

/** Takes some 20 ms a view, so that what surrounds the model counts. */
export const smallShape = { channels: 64, layers: 3, heads: 4, mlpChannels: 256 } as const;
