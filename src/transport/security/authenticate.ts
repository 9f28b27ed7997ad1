import { anyone, type Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { type ApiKey, keyDigest } from './api-key.ts';

/** The headers or entries of gRPC metadata that may carry a key. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly 'x-api-key': string | undefined;
}

/** Returns the caller of a request. Throws `unauthenticated` when its key is missing or wrong. */
export type Authenticate = (credentials: Credentials) => Caller;

/** Accepts every request, in a service without keys. */
export const allowAnonymous: Authenticate = () => anyone;

/** Authenticates callers. */
export interface Keys {
  readonly authenticate: Authenticate;
  /** All callers that have keys. Returns another list when they change. */
  readonly callers: () => readonly Caller[];
}

export const noKeys: Keys = { authenticate: allowAnonymous, callers: () => [] };

/** Authenticates by a set of API keys that can be replaced. */
export class KeyRing implements Keys {
  #byDigest: ReadonlyMap<string, Caller> = new Map();
  #callers: readonly Caller[] = [];

  constructor(keys: readonly ApiKey[] = []) {
    this.replace(keys);
  }

  /** From now on, accepts these keys and no others. */
  replace(keys: readonly ApiKey[]): void {
    this.#byDigest = new Map(keys.map(({ digest, caller }) => [digest, caller]));
    this.#callers = keys.map(({ caller }) => caller);
  }

  readonly callers = (): readonly Caller[] => this.#callers;

  readonly authenticate: Authenticate = (credentials) => {
    const key = presentedKey(credentials);
    if (key === undefined) {
      throw new ServiceError(
        'unauthenticated',
        'An API key is required: send it as "authorization: Bearer KEY" or "x-api-key: KEY".',
      );
    }
    // The time of the look-up may reveal bits of a digest, and they reveal nothing of a random key.
    const caller = this.#byDigest.get(keyDigest(key));
    if (caller === undefined) throw new ServiceError('unauthenticated', 'The API key is not valid.');
    return caller;
  };
}

/** `x-api-key` takes precedence, because a proxy may need `authorization` for itself. */
function presentedKey({ authorization, 'x-api-key': key }: Credentials): string | undefined {
  return key ?? /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}
