import { refusalOf, ServiceFailure } from './failure.ts';

export interface AskOptions {
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Blob;
  readonly signal?: AbortSignal;
  /** How long the answer may take, its body included. */
  readonly timeoutMs?: number;
  /** Whether the endpoint needs no API key. The page sends it none. */
  readonly isOpen?: boolean;
}

/** Reads an answer. `sentMs` is when its request was sent, by performance.now(). */
type ReadResponse<T> = (response: Response, sentMs: number) => Promise<T>;

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

  /**
   * Sends a request, again with a key if it needs one, and reads the answer with `read`, which is told when the request was sent.
   * Rejects with ServiceFailure if the request is refused or the connection fails.
   */
  async ask<T>(path: string, options: AskOptions, read: ReadResponse<T>): Promise<T> {
    for (;;) {
      const used = options.isOpen === true ? undefined : this.#key;
      const answer = await this.#send(path, options, used, read);
      if (answer.isOk) return answer.value;
      const { refusal } = answer;
      if (refusal.status !== 401 || options.isOpen === true) throw new ServiceFailure(refusal);
      // Another request may have got a key meanwhile.
      if (this.#key === used) await this.#renewKey(refusal.detail);
    }
  }

  async json<T>(path: string, options: AskOptions = {}): Promise<T> {
    return await this.ask(path, options, async (response) => (await response.json()) as T);
  }

  async text(path: string, options: AskOptions = {}): Promise<string> {
    return await this.ask(path, options, async (response) => await response.text());
  }

  async #renewKey(refusal: string): Promise<void> {
    this.#obtaining ??= this.#obtainKey(refusal).finally(() => {
      this.#obtaining = undefined;
    });
    this.#key = await this.#obtaining;
  }

  async #send<T>(
    path: string,
    { method = 'GET', query = {}, body, signal, timeoutMs }: AskOptions,
    key: string | undefined,
    read: ReadResponse<T>,
  ) {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const ends = [
      ...(signal === undefined ? [] : [signal]),
      ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
    ];
    const sentMs = performance.now();
    try {
      const response = await fetch(url, {
        method,
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.any(ends),
      });
      if (!response.ok) return { isOk: false, refusal: await refusalOf(response) } as const;
      return { isOk: true, value: await read(response, sentMs) } as const;
    } catch (thrown) {
      // Only a broken connection and the time limit mean that the service is away.
      const isTimeout = thrown instanceof DOMException && thrown.name === 'TimeoutError';
      if (signal?.aborted === true || !(isTimeout || thrown instanceof TypeError)) throw thrown;
      throw new ServiceFailure({
        kind: 'unreachable',
        title: 'The service does not answer',
        detail: `${this.base.host} cannot be reached. The page tries again by itself.`,
      });
    }
  }
}
