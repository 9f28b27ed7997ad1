import { modelInfo } from '@huggingface/hub';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import type { HubAccess } from './access.ts';
import { refusal } from './refusal.ts';
import type { RepositoryName } from './repository-name.ts';

/** A commit of a repository and the names of its files. */
export interface Revision {
  /** 40 hex digits. */
  readonly commit: string;
  readonly files: readonly string[];
}

/** A file before it is downloaded. */
export interface RemoteFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Names the blob in the cache; of an LFS file its SHA-256. Fit for a file's name. */
  readonly etag: string;
}

const mostRedirects = 10;

/**
 * Asks the hub about one repository. Each question is asked once. `unavailable` is for what may pass (no connection,
 * status 429 or 5xx), `invalid_argument` for what stays; both are one sentence, and none has the token.
 */
export class HubClient {
  readonly #repository: RepositoryName;
  readonly #revision: string;
  readonly #access: HubAccess;
  readonly #signal: AbortSignal | undefined;

  constructor(repository: RepositoryName, revision: string, access: HubAccess, signal?: AbortSignal) {
    this.#repository = repository;
    this.#revision = revision;
    this.#access = access;
    this.#signal = signal;
  }

  /** What the revision is at the moment. */
  async revision(): Promise<Revision> {
    const ask = async (input: string | URL | Request) =>
      this.#follow(new URL(input instanceof Request ? input.url : input), {}, () => true);
    let answer: { readonly sha: string; readonly filePaths: readonly string[] };
    try {
      answer = await modelInfo({
        name: this.#repository,
        revision: this.#revision,
        hubUrl: this.#access.endpoint,
        additionalFields: ['sha', 'filePaths'],
        fetch: ask,
      });
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw this.#strange('an answer that is no description of a model', error);
    }
    if (!/^[0-9a-f]{40}$/.test(answer.sha)) throw this.#strange('a commit that is not 40 hex digits');
    return { commit: answer.sha, files: answer.filePaths };
  }

  /**
   * Size and etag of a file. They are in the hub's own answer, so a redirect to where the bytes lie is not followed.
   */
  async describe(commit: string, name: string): Promise<RemoteFile> {
    const isAnswer = ({ headers }: Response, next: URL, from: URL) =>
      !headers.has('x-linked-etag') && next.origin === from.origin;
    const { headers } = await this.#follow(this.#fileUrl(commit, name), { method: 'HEAD' }, isAnswer);
    const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(
      /^(?:W\/)?"(.*)"$/,
      '$1',
    );
    if (!/^\w[\w.-]{0,127}$/.test(etag)) throw this.#strange(`no usable etag for ${name}`);
    const sizeBytes = Number.parseInt(
      headers.get('x-linked-size') ?? headers.get('content-length') ?? '',
      10,
    );
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw this.#strange(`no size for ${name}`);
    return { name, etag, sizeBytes };
  }

  /**
   * A file's bytes from `offsetBytes` on, or from 0 where the server cannot start elsewhere; the answer says which.
   * `signal` ends it.
   */
  async open(
    commit: string,
    name: string,
    offsetBytes: number,
    signal: AbortSignal,
  ): Promise<{ readonly offsetBytes: number; readonly body: ReadableStream<Uint8Array> }> {
    const range: Record<string, string> = offsetBytes === 0 ? {} : { range: `bytes=${offsetBytes}-` };
    const { status, headers, body } = await this.#follow(
      this.#fileUrl(commit, name),
      { headers: range, signal },
      () => true,
    );
    if (body === null) throw this.#strange(`no bytes for ${name}`);
    if (status !== 206) return { offsetBytes: 0, body };
    const start = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1];
    if (Number(start) === offsetBytes) return { offsetBytes, body };
    await body.cancel();
    throw this.#strange(`another part of ${name} than was asked for`);
  }

  #fileUrl(commit: string, name: string): URL {
    return new URL(
      `${this.#access.endpoint}/${this.#repository}/resolve/${commit}/${encodeURIComponent(name)}`,
    );
  }

  /** Asks, and follows redirects that are `wanted`. The token goes to the endpoint's own host only. */
  async #follow(
    start: URL,
    { headers = {}, signal = this.#signal, method = 'GET' }: FollowOptions,
    wanted: (response: Response, next: URL, from: URL) => boolean,
  ): Promise<Response> {
    const { endpoint, token } = this.#access;
    let url = start;
    for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
      const own = url.origin === new URL(endpoint).origin && token !== undefined;
      const response = await this.#ask(url, {
        method,
        redirect: 'manual',
        // A compressed answer has another length.
        headers: {
          ...headers,
          'accept-encoding': 'identity',
          ...(own ? { authorization: `Bearer ${token}` } : {}),
        },
        ...(signal === undefined ? {} : { signal }),
      });
      const location = response.status >= 300 && response.status < 400 && response.headers.get('location');
      if (typeof location !== 'string') {
        if (response.ok) return response;
        await response.body?.cancel();
        throw refusal(response, {
          host: url.host,
          repository: this.#repository,
          revision: this.#revision,
          ...this.#access,
        });
      }
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:');
      if (next === undefined || !isSafe) throw this.#strange('a redirect that is not over https');
      await response.body?.cancel();
      if (!wanted(response, next, url)) return response;
      url = next;
    }
    throw this.#strange(`more than ${mostRedirects} redirects`);
  }

  async #ask(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      throw this.lost(url.host, error);
    }
  }

  /** The failure of a connection as a ServiceError. */
  lost(host: string, error: unknown): ServiceError {
    if (this.#signal?.aborted) return new ServiceError('cancelled', 'The import was cancelled.');
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return new ServiceError('unavailable', `${host} cannot be reached: ${systemReason(reason)}.`, {
      cause: error,
    });
  }

  #strange(sentence: string, cause?: unknown): ServiceError {
    const message = `${new URL(this.#access.endpoint).host} gave ${sentence} (${this.#repository}).`;
    return new ServiceError('invalid_argument', message, { cause });
  }
}

interface FollowOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
}
