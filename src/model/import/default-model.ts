import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import type { Preprocessing } from './image-processor.ts';
import { loadModelFolder } from '../load-folder.ts';
import { defaultModelName, type Model } from '../model.ts';
import { publishFolder } from './publish-folder.ts';
import { RandomWeights } from './random-weights.ts';
import type { TowerGeometry } from '../tower-geometry.ts';
import { writeModelFolder } from './write-folder.ts';

/** Part of the folder's name. Raise it whenever the folder's contents change. */
const revision = 3;
const seed = 512;

const geometry: TowerGeometry = {
  architecture: 'siglip',
  imageSize: 512,
  checkpointImageSize: 512,
  patchSize: 16,
  channels: 64,
  layers: 3,
  heads: 4,
  mlpChannels: 256,
  epsilon: 1e-6,
  activation: 'gelu_tanh',
};

/** SigLIP 2's own. */
const preprocessing: Preprocessing = {
  resample: 'bilinear',
  resize: 'squash',
  normalisation: { rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
};

/**
 * The embedded default, named `untrained`: a SigLIP of 512 px and 1,024 tokens with seeded random weights. The first
 * process that needs it makes it in `cacheDir`, and others find it there. A damaged one is made again.
 */
export async function ensureDefaultModel(cacheDir: string): Promise<Model> {
  const folder = join(cacheDir, `${defaultModelName}-${revision}`);
  const find = async () => await loadModelFolder(folder, defaultModelName).catch(() => undefined);
  const found = await find();
  if (found !== undefined) return found;
  const contents = {
    geometry,
    preprocessing,
    features: 'last_hidden_state',
    precision: 'fp32',
    trained: false,
    source: new RandomWeights(seed),
    provenance: { source: `random weights, seed ${seed}`, storedDtype: 'F32' },
  } as const;
  try {
    // A folder appears all at once, so one that does not load was damaged.
    const own = existsSync(folder);
    await publishFolder(folder, (temporary) => writeModelFolder(temporary, contents), { own });
  } catch (error) {
    // Another process may have been first; its folder is as good.
    const others = await find();
    if (others !== undefined) return others;
    if (error instanceof ServiceError) throw error;
    const message = `The default model cannot be made in ${cacheDir}: ${systemReason(error)}.`;
    throw new ServiceError('unavailable', message, { cause: error });
  }
  return loadModelFolder(folder, defaultModelName);
}
