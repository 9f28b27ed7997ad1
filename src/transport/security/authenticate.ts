import { timingSafeEqual } from 'node:crypto';
import { anyone, type Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { type ApiKey, keyDigest } from './api-key.ts';

/** The headers, or entries of gRPC metadata, that may carry a key. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly 'x-api-key': string | undefined;
}

/** Whose request this is; throws `unauthenticated` where its key is missing or wrong. */
export type Authenticate = (credentials: Credentials) => Caller;

/** Of a service without keys. */
export const allowAnonymous: Authenticate = () => anyone;

/** Who is let in, and how they are told. */
export interface Keys {
  readonly authenticate: Authenticate;
  /** All that there may be; none where there are no keys. */
  readonly callers: () => readonly Caller[];
}

export const noKeys: Keys = { authenticate: allowAnonymous, callers: () => [] };

/** The keys that let in. */
export class KeyRing implements Keys {
  #byDigest: ReadonlyMap<string, ApiKey> = new Map();
  #callers: readonly Caller[] = [];

  constructor(keys: readonly ApiKey[] = []) {
    this.replace(keys);
  }

  /** From now on these are the keys, and no others. */
  replace(keys: readonly ApiKey[]): void {
    this.#byDigest = new Map(keys.map((key) => [key.digest, key]));
    this.#callers = keys.map(({ caller }) => caller);
  }

  /** Whose the keys are; another list when they are others. */
  readonly callers = (): readonly Caller[] => this.#callers;

  readonly authenticate: Authenticate = (credentials) => {
    const key = presentedKey(credentials);
    if (key === undefined) {
      throw new ServiceError(
        'unauthenticated',
        'An API key is needed: send it as "authorization: Bearer KEY" or "x-api-key: KEY".',
      );
    }
    const digest = keyDigest(key);
    // Found by its digest, of which no sender chooses a byte: the time that takes tells nothing of any key.
    const found = this.#byDigest.get(digest.toString('hex'));
    if (found === undefined || !timingSafeEqual(Buffer.from(found.digest, 'hex'), digest)) {
      throw new ServiceError('unauthenticated', 'The API key is wrong.');
    }
    return found.caller;
  };
}

/** `x-api-key` goes first: a proxy may need `authorization` for itself. */
function presentedKey({ authorization, 'x-api-key': key }: Credentials): string | undefined {
  return key ?? /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}
