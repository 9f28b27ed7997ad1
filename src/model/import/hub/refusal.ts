import { ServiceError } from '../../../errors/service-error.ts';
import type { RepositoryName } from './repository-name.ts';

export interface Asked {
  /** Who refused. */
  readonly host: string;
  readonly repository: RepositoryName;
  readonly revision: string;
  readonly token: string | undefined;
}

/**
 * What a status that is no success means, in one sentence. The hub answers 401 for a repository that is missing as
 * for one that is private, and says the rest in X-Error-Code.
 */
export function refusal(
  { status, headers }: Response,
  { host, repository, revision, token }: Asked,
): ServiceError {
  const errorCode = headers.get('x-error-code');
  if (status === 429 || status >= 500) {
    return new ServiceError('unavailable', `${host} answers with status ${status}.`);
  }
  const wrong = (sentence: string) => new ServiceError('invalid_argument', sentence);
  if (errorCode === 'GatedRepo' || status === 403) {
    const what = token === undefined ? 'needs HF_TOKEN' : 'is not open to HF_TOKEN';
    return wrong(
      `${repository} ${what}: ask for access on its page at ${host}, and give a token of that account.`,
    );
  }
  if (errorCode === 'RevisionNotFound') return wrong(`${repository} has no revision ${revision} on ${host}.`);
  if (errorCode === 'EntryNotFound') return wrong(`${repository} lacks a file that it lists (${host}).`);
  if (status === 401 && token !== undefined && errorCode !== 'RepoNotFound') {
    return wrong(`${host} does not accept HF_TOKEN for ${repository}.`);
  }
  if (status === 401 || status === 404) {
    const hint = token === undefined ? 'or only for a token, in HF_TOKEN' : 'or not for this HF_TOKEN';
    return wrong(`${repository} is neither a folder here nor a model on ${host}, ${hint}.`);
  }
  return wrong(`${host} answers ${repository} with status ${status}.`);
}
