import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import type { HubAccess } from './access.ts';
import type { RepositoryCache } from './cache.ts';
import type { HubClient } from './client.ts';
import type { CheckpointPart } from '../needed-tensors.ts';
import { isComplete, isSettled } from './needed-files.ts';
import type { RepositoryName } from './repository-name.ts';
import { retried, type Wait } from './retry.ts';

export interface FoundRevision {
  readonly commit: string;
  /** The repository's files; undefined where the hub was not asked, and the cache has all that is needed. */
  readonly files: readonly string[] | undefined;
}

export interface RevisionOptions {
  readonly revision: string;
  readonly part: CheckpointPart;
  readonly access: HubAccess;
  /** Called with a sentence when the cache stands in for a hub that does not answer. */
  readonly onCached?: ((sentence: string) => void) | undefined;
  readonly wait: Wait;
  readonly signal: AbortSignal;
}

/**
 * Resolves a revision to its commit: by asking the hub, or, where the hub cannot be asked, to what it was when it was
 * last asked, provided that the cache is complete for that. A commit that is complete in the cache needs no asking.
 * Rejects with `invalid_argument` or `unavailable`.
 */
export async function findRevision(
  repository: RepositoryName,
  cache: RepositoryCache,
  client: HubClient,
  { revision, part, access, onCached, wait, signal }: RevisionOptions,
): Promise<FoundRevision> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  const known = isCommit ? revision : await cache.readRef(revision);
  const cached =
    known !== undefined && (await isComplete(cache, known, part, repository)) ? known : undefined;
  if (cached !== undefined && isCommit && (await isSettled(cache, cached))) {
    return { commit: cached, files: undefined };
  }
  if (access.offline === undefined) {
    try {
      const ask = () => client.revision();
      // With a complete cache a second try is not worth the wait.
      return await (cached === undefined ? retried(ask, wait, signal) : ask());
    } catch (error) {
      if (!(error instanceof ServiceError) || cached === undefined) throw error;
      // A commit stays what it is, whatever the hub says of the repository today.
      if (error.code !== 'unavailable' && !isCommit) throw error;
      onCached?.(`${error.message} ${cachedSentence(repository, revision, cached)}`);
      return { commit: cached, files: undefined };
    }
  }
  if (cached !== undefined) {
    onCached?.(`${access.offline} is set. ${cachedSentence(repository, revision, cached)}`);
    return { commit: cached, files: undefined };
  }
  throw invalidArgument(
    `${repository} at ${revision} is neither a folder here nor complete in ${access.cacheFolder}, and ${access.offline} is set.`,
  );
}

function cachedSentence(repository: RepositoryName, revision: string, commit: string): string {
  return `Using ${repository} from the cache, where ${revision} is ${commit}.`;
}
