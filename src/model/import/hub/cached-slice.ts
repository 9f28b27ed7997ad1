import { existsSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonObject } from '../../json-object.ts';
import { type CheckpointPart, neededTensors } from '../needed-tensors.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { configFile, type RepositoryCache, replace, sliceFile } from './cache.ts';

/** Holds the names of all the checkpoint's tensors, beside a slice with some of them. */
const namesFile = 'tensor-names.json';

/**
 * Folder of a part of a commit's tensors in the cache. Undefined where the cache lacks a tensor that an import reads: an
 * earlier version of siglip-hd may have needed fewer. Throws `invalid_argument` where the checkpoint itself lacks the part.
 */
export async function findSlice(
  cache: RepositoryCache,
  commit: string,
  part: CheckpointPart,
  source: string,
): Promise<string | undefined> {
  const folder = cache.slice(commit, part);
  if (!existsSync(join(folder, sliceFile))) return undefined;
  const names = (await JsonObject.find(join(folder, namesFile)))?.strings('names');
  if (names === undefined) return undefined;
  const config = await JsonObject.find(join(folder, configFile));
  const stored = await readSafetensorsHeader(join(folder, sliceFile));
  return neededTensors(names, config, part, source).every((name) => stored.has(name)) ? folder : undefined;
}

/** Writes what stands beside a slice's tensors: the files `beside`, and the names of all the checkpoint's tensors. */
export async function describeSlice(
  cache: RepositoryCache,
  commit: string,
  part: CheckpointPart,
  { beside, names }: { readonly beside: readonly string[]; readonly names: readonly string[] },
): Promise<void> {
  const folder = cache.slice(commit, part);
  for (const name of beside) {
    await replace(join(folder, name), (temporary) => copyFile(join(cache.snapshot(commit), name), temporary));
  }
  await replace(join(folder, namesFile), (temporary) => writeFile(temporary, JSON.stringify({ names })));
}
