import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../../../errors/service-error.ts';
import { indexFile, singleFile } from '../weight-map.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { RepositoryCache } from './cache.ts';
import { HubClient } from './client.ts';
import { fetchFiles, type FilesOptions } from './fetch-files.ts';
import { findRevision, type RevisionOptions } from './find-revision.ts';
import { configurationFiles, visionShards } from './needed-files.ts';
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
  /** Looks at the folder when it has the configuration and not yet the weights; what it throws ends the fetch. */
  readonly onConfiguration?: (folder: string) => Promise<unknown>;
  /** Called with the bytes of weights that are there and that are to be; not when nothing is downloaded. */
  readonly onProgress?: FilesOptions['onProgress'];
  readonly signal?: AbortSignal;
  /** The clock's when absent. */
  readonly wait?: Wait;
}

/**
 * Brings what an import needs of a repository into the hub's cache: the configuration, and model.safetensors or the
 * shards that hold the vision tower. What is there is not asked for again; without the hub, a cache that has all
 * of it is enough. Every rejection is a ServiceError with one sentence: `invalid_argument`, or `cancelled` when
 * the signal fired.
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
    for (const name of configurationFiles) {
      if (!(await isThere(name))) throw lacks(repository, name);
    }
    await fetchFiles(configurationFiles, download);
    await onConfiguration?.(folder);
    let weights: readonly string[] = [singleFile];
    if (!(await isThere(singleFile))) {
      if (!(await isThere(indexFile))) throw lacks(repository, `${singleFile}, nor its shards with an index`);
      await fetchFiles([indexFile], download);
      weights = await visionShards(folder);
    }
    await fetchFiles(weights, { ...download, onProgress });
    await cache.writeRef(revision, commit);
    return { folder, commit };
  } catch (error) {
    throw atEdge(error, access.cacheFolder, signal);
  }
}

function clockWait(waitMs: number, signal: AbortSignal): Promise<unknown> {
  return pause(waitMs, undefined, { signal });
}

function lacks(repository: RepositoryName, what: string): ServiceError {
  return new ServiceError('invalid_argument', `${repository} has no ${what}, so it cannot be imported.`);
}

/** To who asked for it, a hub that cannot be reached is a SOURCE that cannot be used; a refusing disk likewise. */
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
