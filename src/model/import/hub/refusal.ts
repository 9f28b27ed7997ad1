import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { describeProxy, type Proxy } from '../../../network/proxy.ts';
import type { HubAccess } from './access.ts';
import type { RepositoryName } from './repository-name.ts';

export interface Refused extends Pick<HubAccess, 'token' | 'tokenHint'> {
  /** The server that refused. */
  readonly host: string;
  /** Set for plain HTTP, where the proxy itself may have answered. */
  readonly proxy: Proxy | undefined;
  readonly repository: RepositoryName;
  readonly revision: string;
}

/**
 * One sentence for an error status. The hub answers 401 both for a missing repository and for a private one;
 * X-Error-Code tells some of them apart.
 */
export function refusal(status: number, errorCode: string | undefined, refused: Refused): ServiceError {
  const { host, proxy, repository, revision, token, tokenHint } = refused;
  const code = status === 429 || status >= 500 ? 'unavailable' : 'invalid_argument';
  if (proxy !== undefined && errorCode === undefined) {
    const message = `${host} or ${describeProxy(proxy)} answered the request for ${repository} with status ${status}.`;
    return new ServiceError(code, message);
  }
  if (code === 'unavailable') return new ServiceError(code, `${host} answers with status ${status}.`);
  if (errorCode === 'GatedRepo' || status === 403) {
    const rest =
      token === undefined ? `, then ${tokenHint}` : ` for the account of the token in ${token.source}`;
    return invalidArgument(`${repository} is gated: ask for access on its page at ${host}${rest}.`);
  }
  if (errorCode === 'RevisionNotFound')
    return invalidArgument(`${repository} has no revision ${revision} on ${host}.`);
  if (errorCode === 'EntryNotFound')
    return invalidArgument(`${repository} lacks a file that it lists (${host}).`);
  if (status === 401 && token !== undefined && errorCode !== 'RepoNotFound') {
    const hint = '"hf auth login" keeps a new one';
    return invalidArgument(
      `${host} does not accept the token in ${token.source} for ${repository}; ${hint}.`,
    );
  }
  if (status === 401 || status === 404) {
    const hint =
      token === undefined
        ? `if it is private, ${tokenHint}`
        : `or the token in ${token.source} does not open it`;
    return invalidArgument(`${repository} is neither a folder here nor a model on ${host}; ${hint}.`);
  }
  return invalidArgument(`${host} answers the request for ${repository} with status ${status}.`);
}
