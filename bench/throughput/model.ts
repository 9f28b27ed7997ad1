import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModelFolder } from '../../src/model/load-folder.ts';
import { importModel } from '../../src/model/import/import-model.ts';
import { formatVersion } from '../../src/model/manifest.ts';
import type { Model } from '../../src/model/model.ts';
import { so400m } from '../models/encoders.ts';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import { benchCache } from '../processes/paths.ts';

/** 384 channels, 6 heads, as many layers as it takes. */
const geometry = { ...so400m, channels: 384, heads: 6, mlpChannels: 1536 };

/** A model of `layers` layers with random weights, made once as a user would: a checkpoint, imported. */
export async function randomModel(layers: number): Promise<Model> {
  const folder = join(benchCache, `random-384x${layers}-${formatVersion}`);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return await loadModelFolder(folder);
  const checkpoint = `${folder}-checkpoint`;
  await mkdir(benchCache, { recursive: true });
  try {
    await writeRandomCheckpoint(checkpoint, {
      geometry: { ...geometry, layers },
      dtype: 'F32',
      names: 'vision-only',
      seed: 1,
    });
    return await importModel({
      source: checkpoint,
      out: folder,
      features: ['last_hidden_state'],
      precision: 'fp32',
    });
  } finally {
    await rm(checkpoint, { recursive: true, force: true });
  }
}
