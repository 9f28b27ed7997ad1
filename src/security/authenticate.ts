import { timingSafeEqual } from 'node:crypto';
import { anyone, type Caller } from '../caller.ts';
import { ServiceError } from '../errors.ts';
import { type ApiKey, keyDigest } from './api-key.ts';

/** The headers, or entries of gRPC metadata, that may carry a key. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly 'x-api-key': string | undefined;
}

/** Whose request this is; throws `unauthenticated` where its key is missing or wrong. */
export type Authenticate = (credentials: Credentials) => Caller;

/** Of a service without keys. */
export const letAnyoneIn: Authenticate = () => anyone;

/** Who is let in, and how they are told. */
export interface Keys {
  readonly authenticate: Authenticate;
  /** All that there may be; none where there are no keys. */
  readonly callers: () => readonly Caller[];
}

export const noKeys: Keys = { authenticate: letAnyoneIn, callers: () => [] };

/** The keys that let in. */
export class KeyRing implements Keys {
  #keys: readonly { readonly digest: Buffer; readonly caller: Caller }[] = [];

  constructor(keys: readonly ApiKey[] = []) {
    this.replace(keys);
  }

  /** From now on these are the keys, and no others. */
  replace(keys: readonly ApiKey[]): void {
    this.#keys = keys.map(({ digest, caller }) => ({ digest: Buffer.from(digest, 'hex'), caller }));
  }

  /** Whose the keys are. */
  readonly callers = (): readonly Caller[] => this.#keys.map(({ caller }) => caller);

  readonly authenticate: Authenticate = (credentials) => {
    const key = presentedKey(credentials);
    if (key === undefined) {
      throw new ServiceError(
        'unauthenticated',
        'An API key is needed: send it as "authorization: Bearer KEY" or "x-api-key: KEY".',
      );
    }
    const digest = keyDigest(key);
    let caller: Caller | undefined;
    // All are compared, each as a whole, so that the time taken tells nothing of a key.
    for (const each of this.#keys) if (timingSafeEqual(each.digest, digest)) caller = each.caller;
    if (caller === undefined) throw new ServiceError('unauthenticated', 'The API key is wrong.');
    return caller;
  };
}

/** `x-api-key` goes first: a proxy may need `authorization` for itself. */
function presentedKey({ authorization, 'x-api-key': key }: Credentials): string | undefined {
  return key ?? /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}
