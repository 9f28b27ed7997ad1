import { join } from 'node:path';
import { findTower, towerTensorNames } from '../tower-names.ts';
import { isIndex, readWeightMap, weightFiles } from '../weight-map.ts';
import { processorFiles } from '../image-processor.ts';
import type { RepositoryCache } from './cache.ts';

export const configFile = 'config.json';

/** The files of `names` that are there, by `has`, in their order. */
export async function presentOf<const Name extends string>(
  names: readonly Name[],
  has: (name: string) => Promise<boolean>,
): Promise<Name[]> {
  const present: Name[] = [];
  for (const name of names) if (await has(name)) present.push(name);
  return present;
}

/** What to fetch after the first of `weightFiles`: the shards that hold the vision tower, as the index in `folder` says. */
export async function shardsOf(folder: string, weights: string): Promise<readonly string[]> {
  if (!isIndex(weights)) return [];
  const files = await readWeightMap(join(folder, weights), `${weights} is missing.`);
  const tensors = towerTensorNames(findTower(files.keys()));
  return [...new Set(tensors.map((tensor) => files.get(tensor)!))];
}

/** Whether the cache has all that an import needs of a commit. */
export async function isComplete(cache: RepositoryCache, commit: string): Promise<boolean> {
  const has = (name: string) => cache.has(commit, name);
  if (!(await has(configFile)) || (await presentOf(processorFiles, has)).length === 0) return false;
  const [weights] = await presentOf(weightFiles, has);
  if (weights === undefined) return false;
  const shards = await shardsOf(cache.snapshot(commit), weights);
  return (await presentOf(shards, has)).length === shards.length;
}

/** Whether the cache knows, for each file of an image processor, whether the commit has it. */
export async function isSettled(cache: RepositoryCache, commit: string): Promise<boolean> {
  const isKnown = async (name: string) =>
    (await cache.has(commit, name)) || (await cache.isKnownMissing(commit, name));
  return (await presentOf(processorFiles, isKnown)).length === processorFiles.length;
}
