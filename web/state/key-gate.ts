import { ServiceFailure } from '../service/failure.ts';
import type { Store } from './store.ts';

/** Asks the user for an API key. The key goes to whoever asked, and nowhere else. */
export class KeyGate {
  readonly #store: Store;
  #answer: ((key: string | undefined) => void) | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Resolves with the key that the user enters. Rejects with the refusal if the user enters none. */
  readonly obtain = async (refusal: string): Promise<string> => {
    const key = await new Promise<string | undefined>((resolve) => {
      this.#answer = resolve;
      this.#store.update(() => ({ keyAsked: refusal }));
    });
    if (key !== undefined) return key;
    throw new ServiceFailure({
      kind: 'refused',
      title: 'The API key is missing or wrong',
      detail: refusal,
      code: 'unauthenticated',
    });
  };

  /** The user's answer; undefined for none. */
  readonly give = (key: string | undefined): void => {
    this.#store.update(() => ({ keyAsked: undefined }));
    this.#answer?.(key);
  };
}
