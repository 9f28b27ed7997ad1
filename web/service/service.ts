import { refusalOf, ServiceFailure } from './failure.ts';

export interface AskOptions {
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Blob;
  readonly signal?: AbortSignal;
}

/** Obtains a key from the user, given the sentence that the service refused the last request with. */
export type ObtainKey = (refusal: string) => Promise<string>;

/** The service that the page comes from. Keeps the API key in memory alone. */
export class Service {
  /** The address below which the API is: that of the page. */
  readonly base: URL;
  readonly #obtainKey: ObtainKey;
  #key: string | undefined;
  /** The key that the user is being asked for. */
  #obtaining: Promise<string> | undefined;

  constructor(base: URL, obtainKey: ObtainKey) {
    this.base = base;
    this.#obtainKey = obtainKey;
  }

  get hasKey(): boolean {
    return this.#key !== undefined;
  }

  /** Sends a request, again with a key if it needs one. Rejects with ServiceFailure unless it is answered with success. */
  async ask(path: string, options: AskOptions = {}): Promise<Response> {
    for (;;) {
      const used = this.#key;
      const response = await this.#send(path, options, used);
      if (response.ok) return response;
      const failure = await refusalOf(response);
      if (response.status !== 401) throw new ServiceFailure(failure);
      // Another request may have got a key meanwhile.
      if (this.#key === used) await this.#renewKey(failure.detail);
    }
  }

  async json<T>(path: string, options: AskOptions = {}): Promise<T> {
    return (await (await this.ask(path, options)).json()) as T;
  }

  async #renewKey(refusal: string): Promise<void> {
    this.#obtaining ??= this.#obtainKey(refusal).finally(() => {
      this.#obtaining = undefined;
    });
    this.#key = await this.#obtaining;
  }

  async #send(path: string, options: AskOptions, key: string | undefined): Promise<Response> {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value);
    try {
      return await fetch(url, {
        method: options.method ?? 'GET',
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
        ...(options.body === undefined ? {} : { body: options.body }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    } catch (thrown) {
      if (options.signal?.aborted === true) throw thrown;
      throw new ServiceFailure({
        kind: 'unreachable',
        title: 'The service does not answer',
        detail: `${this.base.host} cannot be reached. The page tries again by itself.`,
      });
    }
  }
}
