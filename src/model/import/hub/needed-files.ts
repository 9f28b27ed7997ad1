import { join } from 'node:path';
import { indexFile, readWeightMap, singleFile } from '../weight-map.ts';
import type { RepositoryCache } from './cache.ts';

/** What an import reads before any weights. */
export const configurationFiles = ['config.json', 'preprocessor_config.json'] as const;

/** The shards with tensors of the vision tower, as the folder's index says; all where no name starts as its do. */
export async function visionShards(folder: string): Promise<readonly string[]> {
  const map = [...(await readWeightMap(join(folder, indexFile), `${indexFile} is missing.`))];
  const vision = map.filter(([tensor]) => tensor.startsWith('vision_model.'));
  return [...new Set((vision.length > 0 ? vision : map).map(([, file]) => file))];
}

/** Whether the cache has all that an import needs of a commit. */
export async function isComplete(cache: RepositoryCache, commit: string): Promise<boolean> {
  const hasAll = async (names: readonly string[]) => {
    for (const name of names) if (!(await cache.has(commit, name))) return false;
    return true;
  };
  if (!(await hasAll(configurationFiles))) return false;
  if (await cache.has(commit, singleFile)) return true;
  return (await cache.has(commit, indexFile)) && hasAll(await visionShards(cache.snapshot(commit)));
}
