import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { adapterFile, adapterRefusal } from '../adapter.ts';
import { processorFiles } from '../image-processor.ts';
import { isIndex } from '../weight-map.ts';
import { isLanguageModel } from '../families/registry.ts';
import type { CheckpointPart } from '../needed-tensors.ts';
import { JsonObject } from '../../json-object.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { configFile, RepositoryCache } from './cache.ts';
import { findSlice } from './cached-slice.ts';
import { HubClient } from './client.ts';
import { fetchFiles, type FilesOptions } from './fetch-files.ts';
import { fetchSlice } from './fetch-slice.ts';
import { findRevision, type RevisionOptions } from './find-revision.ts';
import { needsProcessor, presentOf, shardsOf, weightsOf } from './needed-files.ts';
import type { RepositoryName } from './repository-name.ts';
import type { Wait } from './retry.ts';

/** A checkpoint in the hub's cache. */
export interface HubCheckpoint {
  /** Folder with its files, not to be written to. */
  readonly folder: string;
  /** The commit it is of, as 40 hex digits. */
  readonly commit: string;
}

/** `revision` is a branch, tag or commit; see readRevision of src/cli/settings/readers.ts for what it may hold. */
export interface FetchOptions extends Omit<RevisionOptions, 'wait' | 'signal' | 'part'> {
  /** What is wanted of the checkpoint; the whole model when absent. */
  readonly part?: CheckpointPart | undefined;
  /** Called with the folder when it has the configuration and not yet the weights; what it throws ends the fetch. */
  readonly onConfiguration?: (folder: string) => Promise<unknown>;
  /** Called with the bytes of weights that are there and the total; not when nothing is downloaded. */
  readonly onProgress?: FilesOptions['onProgress'];
  readonly signal?: AbortSignal;
  /** Waits between tries; by the clock when absent. */
  readonly wait?: Wait;
}

/**
 * Downloads what an import needs of a repository into the hub's cache: the configuration, and the weights or the
 * shards of them that hold the wanted part; of a checkpoint with a language model only that part's tensors. Files in
 * the cache are not downloaded again; without the hub, a cache that has all of them is enough. Rejects with a
 * ServiceError of one sentence: `invalid_argument`, or `cancelled` when the signal fired.
 */
export async function fetchCheckpoint(
  repository: RepositoryName,
  options: FetchOptions,
): Promise<HubCheckpoint> {
  const { revision, part = 'model', access, onConfiguration, onProgress, wait = clockWait } = options;
  const { signal = new AbortController().signal } = options;
  const cache = new RepositoryCache(access.cacheFolder, repository);
  const client = new HubClient(repository, revision, access, signal);
  try {
    const { commit, files } = await findRevision(repository, cache, client, {
      ...options,
      part,
      wait,
      signal,
    }).catch((error: unknown) => {
      throw notFound(error, repository);
    });
    const folder = cache.snapshot(commit);
    const isThere = async (name: string) => files?.includes(name) ?? cache.has(commit, name);
    if (part !== 'projector' && (await isThere(adapterFile))) throw adapterRefusal(repository);
    const download = { cache, client, commit, wait, signal, onProgress };
    const configuration = await fetchConfiguration(repository, part, isThere, download);
    for (const name of processorFiles) {
      if (files !== undefined && !files.includes(name)) await cache.markMissing(commit, name);
    }
    await onConfiguration?.(folder);
    const weights = { repository, part, isThere, configuration };
    const found =
      (await findSlice(cache, commit, part, repository)) ?? (await fetchWeights(weights, download));
    await cache.writeRef(revision, commit);
    return { folder: found, commit };
  } catch (error) {
    throw atEdge(error, access.cacheFolder, signal);
  } finally {
    client.close();
  }
}

type IsThere = (name: string) => Promise<boolean>;

/** Fetches the files that describe the checkpoint, and gives their names. */
async function fetchConfiguration(
  repository: RepositoryName,
  part: CheckpointPart,
  isThere: IsThere,
  options: FilesOptions,
): Promise<readonly string[]> {
  const download = { ...options, onProgress: undefined };
  if (!(await isThere(configFile))) {
    if (part === 'projector') return [];
    throw lacks(repository, configFile);
  }
  await fetchFiles([configFile], download);
  const config = await JsonObject.find(join(download.cache.snapshot(download.commit), configFile));
  const processors = part === 'projector' ? [] : await presentOf(processorFiles, isThere);
  if (processors.length === 0 && needsProcessor(config, part)) {
    throw lacks(repository, processorFiles.join(' and no '));
  }
  await fetchFiles(processors, download);
  return [configFile, ...processors];
}

/** Fetches the weights: of a checkpoint with a language model the needed tensors alone, if the hub can. */
async function fetchWeights(
  {
    repository,
    part,
    isThere,
    configuration,
  }: {
    readonly repository: RepositoryName;
    readonly part: CheckpointPart;
    readonly isThere: IsThere;
    readonly configuration: readonly string[];
  },
  download: FilesOptions,
): Promise<string> {
  const { cache, commit } = download;
  const folder = cache.snapshot(commit);
  const [weights] = await presentOf(weightsOf(part), isThere);
  if (weights === undefined)
    throw lacks(repository, 'model.safetensors, no pytorch_model.bin and no shards of them');
  if (isIndex(weights)) await fetchFiles([weights], { ...download, onProgress: undefined });
  const whole = await shardsOf(folder, weights, part, repository);
  const isLocal = (await presentOf(whole, (name) => cache.has(commit, name))).length === whole.length;
  const config = await JsonObject.find(join(folder, configFile));
  const isSliceable =
    /\.safetensors(\.index\.json)?$/.test(weights) &&
    (part === 'projector' || (config !== undefined && isLanguageModel(config)));
  if (!isLocal && isSliceable) {
    const slice = await fetchSlice({ ...download, repository, part, weights, beside: configuration });
    if (slice !== undefined) return slice;
  }
  await fetchFiles(whole, download);
  return folder;
}

function clockWait(waitMs: number, signal: AbortSignal): Promise<unknown> {
  return pause(waitMs, undefined, { signal });
}

function lacks(repository: RepositoryName, what: string): ServiceError {
  return invalidArgument(`${repository} has no ${what}, so it cannot be imported.`);
}

/** A mistyped path looks like a repository, so the message also says that there is no such folder. */
function notFound(error: unknown, repository: RepositoryName): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'unavailable') return error;
  return error.withMessage(
    `There is no folder ${repository} here, and the hub could not be asked: ${error.message}`,
  );
}

/** To the command's user, an unreachable hub or a disk that cannot be written means that SOURCE cannot be used. */
function atEdge(error: unknown, cacheFolder: string, signal: AbortSignal): ServiceError {
  if (signal.aborted) return new ServiceError('cancelled', 'The import was cancelled.', { cause: error });
  if (error instanceof ServiceError) {
    return error.code === 'unavailable' ? invalidArgument(error.message, error) : error;
  }
  if (!(error instanceof Error && 'syscall' in error)) return ServiceError.from(error);
  const message = `The cache ${cacheFolder} cannot be used: ${systemReason(error)}.`;
  return invalidArgument(message, error);
}
