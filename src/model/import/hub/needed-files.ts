import { join } from 'node:path';
import { JsonObject } from '../../json-object.ts';
import { describesItself } from '../families/registry.ts';
import { type CheckpointPart, neededTensors } from '../needed-tensors.ts';
import { isIndex, projectorFiles, readWeightMap, weightFiles } from '../weight-map.ts';
import { processorFiles } from '../image-processor.ts';
import { configFile, type RepositoryCache } from './cache.ts';
import { findSlice } from './cached-slice.ts';

/** The files of `names` that are there, by `has`, in their order. */
export async function presentOf<Name extends string>(
  names: readonly Name[],
  has: (name: string) => Promise<boolean>,
): Promise<Name[]> {
  const present: Name[] = [];
  for (const name of names) if (await has(name)) present.push(name);
  return present;
}

/** The files that hold the wanted part: `weights` itself or, if it is an index in `folder`, shards that it names. */
export async function shardsOf(
  folder: string,
  weights: string,
  part: CheckpointPart,
  source: string,
): Promise<readonly string[]> {
  if (!isIndex(weights)) return [weights];
  const files = await readWeightMap(join(folder, weights), `${weights} is missing.`);
  const config = await JsonObject.find(join(folder, configFile));
  const tensors = neededTensors([...files.keys()], config, part, source);
  return [...new Set(tensors.map((tensor) => files.get(tensor)!))];
}

/** Whether an import of this part needs the file of an image processor. */
export function needsProcessor(config: JsonObject | undefined, part: CheckpointPart): boolean {
  return part !== 'projector' && (config === undefined || !describesItself(config));
}

/** Files of weights that may have this part, in order of preference. */
export function weightsOf(part: CheckpointPart): readonly string[] {
  return part === 'projector' ? [...projectorFiles, ...weightFiles] : weightFiles;
}

/** Whether the cache has all that an import needs of a commit. */
export async function isComplete(
  cache: RepositoryCache,
  commit: string,
  part: CheckpointPart,
  source: string,
): Promise<boolean> {
  if ((await findSlice(cache, commit, part, source)) !== undefined) return true;
  const has = (name: string) => cache.has(commit, name);
  const config = await JsonObject.find(join(cache.snapshot(commit), configFile));
  if (config === undefined && part !== 'projector') return false;
  const processors = await presentOf(processorFiles, has);
  if (processors.length === 0 && needsProcessor(config, part)) return false;
  const [weights] = await presentOf(weightsOf(part), has);
  if (weights === undefined) return false;
  const shards = await shardsOf(cache.snapshot(commit), weights, part, source);
  return (await presentOf(shards, has)).length === shards.length;
}

/** Whether the cache knows, for each file of an image processor, whether the commit has it. */
export async function isSettled(cache: RepositoryCache, commit: string): Promise<boolean> {
  const isKnown = async (name: string) =>
    (await cache.has(commit, name)) || (await cache.isKnownMissing(commit, name));
  return (await presentOf(processorFiles, isKnown)).length === processorFiles.length;
}
