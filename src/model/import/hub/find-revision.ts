import { ServiceError } from '../../../errors/service-error.ts';
import type { HubAccess } from './access.ts';
import type { RepositoryCache } from './cache.ts';
import type { HubClient } from './client.ts';
import { isComplete } from './needed-files.ts';
import type { RepositoryName } from './repository-name.ts';
import { retried, type Wait } from './retry.ts';

/** The commit to use. */
export interface FoundRevision {
  readonly commit: string;
  /** The repository's files; undefined when the cache has all that is needed and the hub did not say. */
  readonly files: readonly string[] | undefined;
}

export interface RevisionOptions {
  readonly revision: string;
  readonly access: HubAccess;
  /** Called with a sentence when the cache answers because the hub does not. */
  readonly onCached?: ((sentence: string) => void) | undefined;
  readonly wait: Wait;
  readonly signal: AbortSignal;
}

/**
 * The commit that a revision is: what the hub says, or, when it cannot be asked, what it was when it was last asked,
 * provided that the cache has all of that. A commit that the cache has all of needs no asking. Rejects with
 * `invalid_argument` or `unavailable`.
 */
export async function findRevision(
  repository: RepositoryName,
  cache: RepositoryCache,
  client: HubClient,
  { revision, access, onCached, wait, signal }: RevisionOptions,
): Promise<FoundRevision> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  const known = isCommit ? revision : await cache.readRef(revision);
  const cached = known !== undefined && (await isComplete(cache, known)) ? known : undefined;
  if (cached !== undefined && isCommit) return { commit: cached, files: undefined };
  if (!access.offline) {
    try {
      const ask = () => client.revision();
      // Where the cache has it nobody needs to wait for the hub.
      return await (cached === undefined ? retried(ask, wait, signal) : ask());
    } catch (error) {
      const mayPass = error instanceof ServiceError && error.code === 'unavailable';
      if (!mayPass || cached === undefined) throw error;
      onCached?.(`${error.message} ${cachedSentence(repository, revision, cached)}`);
      return { commit: cached, files: undefined };
    }
  }
  if (cached !== undefined) {
    onCached?.(`HF_HUB_OFFLINE is set. ${cachedSentence(repository, revision, cached)}`);
    return { commit: cached, files: undefined };
  }
  throw new ServiceError(
    'invalid_argument',
    `${repository} at ${revision} is neither a folder here nor whole in ${access.cacheFolder}, and HF_HUB_OFFLINE is set.`,
  );
}

function cachedSentence(repository: RepositoryName, revision: string, commit: string): string {
  return `Using ${repository} from the cache, where ${revision} is ${commit}.`;
}
