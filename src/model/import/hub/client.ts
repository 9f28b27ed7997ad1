import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { JsonObject } from '../../json-object.ts';
import type { HubAccess } from './access.ts';
import { refusal } from './refusal.ts';
import type { RepositoryName } from './repository-name.ts';
import { type RequestOptions, Requests } from './requests.ts';

/** A commit of a repository and the names of its files. */
export interface Revision {
  /** 40 hex digits. */
  readonly commit: string;
  readonly files: readonly string[];
}

/** A file before its download. */
export interface RemoteFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Names the blob in the cache, and is fit for a file's name. The SHA-256 of an LFS file. */
  readonly etag: string;
}

const mostRedirects = 10;

/**
 * Asks the hub about one revision of a repository, without retries. Rejects with one sentence that leaves out the
 * token: `unavailable` for what may be temporary (no connection, status 429 or 5xx), else `invalid_argument`.
 */
export class HubClient {
  readonly #repository: RepositoryName;
  readonly #revision: string;
  readonly #access: HubAccess;
  readonly #signal: AbortSignal;
  readonly #requests: Requests;

  constructor(repository: RepositoryName, revision: string, access: HubAccess, signal: AbortSignal) {
    this.#repository = repository;
    this.#revision = revision;
    this.#access = access;
    this.#signal = signal;
    this.#requests = new Requests(access);
  }

  /** The commit that the revision is at the moment. */
  async revision(): Promise<Revision> {
    const path = `api/models/${this.#repository}/revision/${encodeURIComponent(this.#revision)}`;
    const url = new URL(`${this.#access.endpoint}/${path}?expand=sha&expand=siblings`);
    const response = await this.#follow(url, { method: 'GET' }, () => true);
    const body = await text(response).catch((error: unknown) => {
      const message = `${url.host} stopped before the end of its answer: ${systemReason(error)}.`;
      throw new ServiceError('unavailable', message, { cause: error });
    });
    return this.#readRevision(body);
  }

  /** Size and etag of a file. The hub's own answer has them, so a redirect to the bytes is not followed. */
  async describe(commit: string, name: string): Promise<RemoteFile> {
    const isSame = (headers: IncomingHttpHeaders, next: URL, from: URL) =>
      headers['x-linked-etag'] === undefined && next.origin === from.origin;
    const response = await this.#follow(this.#fileUrl(commit, name), { method: 'HEAD' }, isSame);
    const { headers } = response.resume();
    const etag = (first(headers['x-linked-etag']) ?? headers.etag ?? '').replace(/^(?:W\/)?"(.*)"$/, '$1');
    if (!/^\w[\w.-]{0,127}$/.test(etag)) throw this.#strange(`no usable etag for ${name}`);
    const sizeBytes = Number.parseInt(first(headers['x-linked-size']) ?? headers['content-length'] ?? '', 10);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw this.#strange(`no size for ${name}`);
    return { name, etag, sizeBytes };
  }

  /**
   * A file's bytes from `offsetBytes` on, up to `endBytes` if it is given, or the whole file where the server gives no
   * parts; the answer says where it starts.
   */
  async open(
    commit: string,
    name: string,
    offsetBytes: number,
    endBytes?: number,
  ): Promise<{ readonly offsetBytes: number; readonly isPart: boolean; readonly body: IncomingMessage }> {
    const last = endBytes === undefined ? '' : endBytes - 1;
    const isWhole = offsetBytes === 0 && endBytes === undefined;
    const headers: Record<string, string> = isWhole ? {} : { range: `bytes=${offsetBytes}-${last}` };
    const body = await this.#follow(this.#fileUrl(commit, name), { method: 'GET', headers }, () => true);
    if (body.statusCode !== 206) return { offsetBytes: 0, isPart: false, body };
    const start = /^bytes (\d+)-/.exec(body.headers['content-range'] ?? '')?.[1];
    if (Number(start) === offsetBytes) return { offsetBytes, isPart: true, body };
    body.destroy();
    throw this.#strange(`another part of ${name} than was asked for`);
  }

  /** Ends the connections that are kept for more requests. */
  close(): void {
    this.#requests.close();
  }

  #readRevision(body: string): Revision {
    const where = `${new URL(this.#access.endpoint).host}: ${this.#repository}`;
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch (error) {
      throw this.#strange('an answer that does not describe a model', error);
    }
    const model = JsonObject.from(value, where);
    const commit = model.string('sha');
    if (!/^[0-9a-f]{40}$/.test(commit)) throw this.#strange('a commit that is not 40 hex digits');
    const siblings: unknown = model.get('siblings');
    if (!Array.isArray(siblings)) throw model.fault('siblings', 'a list of files');
    const files = siblings.map((file) => JsonObject.from(file, `${where}: siblings`).string('rfilename'));
    return { commit, files };
  }

  #fileUrl(commit: string, name: string): URL {
    return new URL(
      `${this.#access.endpoint}/${this.#repository}/resolve/${commit}/${encodeURIComponent(name)}`,
    );
  }

  /** Asks, and follows the redirects that `isWanted` takes. The token goes to the endpoint's own host only. */
  async #follow(
    start: URL,
    { method, headers = {} }: Pick<RequestOptions, 'method'> & Partial<RequestOptions>,
    isWanted: (headers: IncomingHttpHeaders, next: URL, from: URL) => boolean,
  ): Promise<IncomingMessage> {
    let url = start;
    for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
      const response = await this.#requests.send(url, {
        method,
        headers: { ...headers, ...this.#ownHeaders(url) },
        signal: this.#signal,
      });
      const { statusCode: status = 0, headers: answered } = response;
      const isRedirect = status >= 300 && status < 400 && answered.location !== undefined;
      if (status >= 200 && status < 300) return response;
      if (method === 'HEAD') response.resume();
      else response.destroy();
      if (!isRedirect) throw this.#refusal(url, status, answered);
      const next = this.#redirected(url, answered.location ?? '');
      if (!isWanted(answered, next, url)) return response;
      url = next;
    }
    throw this.#strange(`more than ${mostRedirects} redirects`);
  }

  #ownHeaders(url: URL): Record<string, string> {
    const { endpoint, token } = this.#access;
    const isHub = url.origin === new URL(endpoint).origin;
    return {
      // A compressed answer has another length.
      'accept-encoding': 'identity',
      ...(isHub && token !== undefined ? { authorization: `Bearer ${token.value}` } : {}),
    };
  }

  #redirected(url: URL, location: string): URL {
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:');
    if (next === undefined || !isSafe) throw this.#strange('a redirect that is not over https');
    return next;
  }

  #refusal(url: URL, status: number, headers: IncomingHttpHeaders): ServiceError {
    return refusal(status, first(headers['x-error-code']), {
      host: url.host,
      proxy: url.protocol === 'http:' ? this.#access.proxyOf(url) : undefined,
      repository: this.#repository,
      revision: this.#revision,
      ...this.#access,
    });
  }

  #strange(sentence: string, cause?: unknown): ServiceError {
    const message = `${new URL(this.#access.endpoint).host} gave ${sentence} (${this.#repository}).`;
    return invalidArgument(message, cause);
  }
}

function first(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
