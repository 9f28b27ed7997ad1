import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../../../errors/service-error.ts';
import { processorFiles } from '../image-processor.ts';
import { isIndex, weightFiles } from '../weight-map.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { RepositoryCache } from './cache.ts';
import { HubClient } from './client.ts';
import { fetchFiles, type FilesOptions } from './fetch-files.ts';
import { findRevision, type RevisionOptions } from './find-revision.ts';
import { configFile, presentOf, shardsOf } from './needed-files.ts';
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
export interface FetchOptions extends Omit<RevisionOptions, 'wait' | 'signal'> {
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
 * shards of them that hold the vision tower. Files that are there are not downloaded again; without the hub, a cache
 * that has all of them is enough. Rejects with a ServiceError of one sentence: `invalid_argument`, or `cancelled`
 * when the signal fired.
 */
export async function fetchCheckpoint(
  repository: RepositoryName,
  options: FetchOptions,
): Promise<HubCheckpoint> {
  const { revision, access, onConfiguration, onProgress, wait = clockWait } = options;
  const { signal = new AbortController().signal } = options;
  const cache = new RepositoryCache(access.cacheFolder, repository);
  const client = new HubClient(repository, revision, access, signal);
  try {
    const { commit, files } = await findRevision(repository, cache, client, { ...options, wait, signal });
    const folder = cache.snapshot(commit);
    const isThere = async (name: string) => files?.includes(name) ?? cache.has(commit, name);
    const download = { cache, client, commit, wait, signal };
    if (!(await isThere(configFile))) throw lacks(repository, configFile);
    const processors = await presentOf(processorFiles, isThere);
    if (processors.length === 0) throw lacks(repository, processorFiles.join(' and no '));
    await fetchFiles([configFile, ...processors], download);
    for (const name of processorFiles) {
      if (files !== undefined && !files.includes(name)) await cache.markMissing(commit, name);
    }
    await onConfiguration?.(folder);
    const [weights] = await presentOf(weightFiles, isThere);
    if (weights === undefined)
      throw lacks(repository, 'model.safetensors, no pytorch_model.bin and no shards of them');
    if (isIndex(weights)) await fetchFiles([weights], download);
    await fetchFiles(isIndex(weights) ? await shardsOf(folder, weights) : [weights], {
      ...download,
      onProgress,
    });
    await cache.writeRef(revision, commit);
    return { folder, commit };
  } catch (error) {
    throw atEdge(error, access.cacheFolder, signal);
  } finally {
    client.close();
  }
}

function clockWait(waitMs: number, signal: AbortSignal): Promise<unknown> {
  return pause(waitMs, undefined, { signal });
}

function lacks(repository: RepositoryName, what: string): ServiceError {
  return new ServiceError('invalid_argument', `${repository} has no ${what}, so it cannot be imported.`);
}

/** For the command's user an unreachable hub, or a disk that cannot be written, is a SOURCE that cannot be used. */
function atEdge(error: unknown, cacheFolder: string, signal: AbortSignal): ServiceError {
  if (signal.aborted) return new ServiceError('cancelled', 'The import was cancelled.', { cause: error });
  if (error instanceof ServiceError) {
    return error.code === 'unavailable'
      ? new ServiceError('invalid_argument', error.message, { cause: error })
      : error;
  }
  if (!(error instanceof Error && 'syscall' in error)) return ServiceError.from(error);
  const message = `The cache ${cacheFolder} cannot be used: ${systemReason(error)}.`;
  return new ServiceError('invalid_argument', message, { cause: error });
}
