import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** With the host that was asked: the hub, or the CDN that it redirects to. */
  readonly host: 'hub' | 'cdn';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What the server does other than answer; each test sets what it needs. */
export interface HubFaults {
  /**
   * Answers the hub's requests whose path holds `path` with a status and the code of X-Error-Code, always or so
   * often.
   */
  refuse?: { readonly path: string; readonly status: number; readonly code?: string; times?: number };
  /** Bytes of each answer of the CDN after which the connection is cut, one for each answer; then none is. */
  drops?: number[];
  /** Bytes that each answer of the CDN has beyond the part that was asked for, one for each answer; then none has. */
  extra?: number[];
  /** Changes the bytes that the CDN serves; their headers tell of the unchanged ones. */
  damage?: (bytes: Buffer) => Buffer;
  /** Where the hub redirects to instead of the CDN. */
  redirect?: string;
  /** Whether the CDN ignores Range. */
  ignoresRange?: boolean;
  /** Called before the CDN sends; what it gives is waited for. */
  beforeBody?: () => Promise<void>;
  /** Size that the hub tells of LFS files. */
  linkedSize?: number;
}

export interface HubOptions {
  /** With them the hub and the CDN speak TLS, as localhost. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer };
  /** The only token that is let in. */
  readonly token?: string;
}

const lfs = /\.(safetensors|bin)$/;

/**
 * A hub and its CDN, on two ports of this machine, with one repository made of a folder of files. It speaks the
 * routes that an import uses, as huggingface.co does: small files from the hub with the git hash as ETag, and LFS
 * files by a redirect to the CDN, their SHA-256 and size in X-Linked-Etag and X-Linked-Size.
 */
export class HubServer {
  readonly faults: HubFaults = {};
  readonly requests: SeenRequest[] = [];
  commit = createHash('sha1').update('first').digest('hex');
  /** Bytes of files that went out. */
  servedBytes = 0;
  readonly #files: Map<string, Buffer>;
  readonly #servers: readonly Server[];
  readonly #repository: string;
  readonly #options: HubOptions;

  private constructor(repository: string, files: Map<string, Buffer>, options: HubOptions) {
    this.#repository = repository;
    this.#files = files;
    this.#options = options;
    const serve = (answer: (request: IncomingMessage, response: ServerResponse) => void): Server =>
      options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer);
    this.#servers = [
      serve((request, response) => this.#hub(this.#seen(request, 'hub'), response)),
      serve((request, response) => void this.#cdn(this.#seen(request, 'cdn'), response)),
    ];
  }

  /** Serves the files of a folder, with more beside that nobody should want, until the test ends. */
  static async open(
    t: TestContext,
    repository: string,
    folder: string,
    options: HubOptions = {},
  ): Promise<HubServer> {
    const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
    files.set('README.md', Buffer.from('# A model'));
    files.set('pytorch_model.bin', Buffer.alloc(1000));
    const server = new HubServer(repository, files, options);
    for (const each of server.#servers) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done));
    t.after(() => server.close());
    return server;
  }

  get endpoint(): string {
    return this.#address(0);
  }

  file(name: string): Buffer {
    return this.#files.get(name) ?? Buffer.alloc(0);
  }

  setFile(name: string, bytes: Buffer | undefined): void {
    if (bytes === undefined) this.#files.delete(name);
    else this.#files.set(name, bytes);
  }

  /** What was asked for since the last look: `GET hub config.json`, `HEAD hub ...`, `GET hub main` for a revision. */
  asked(): string[] {
    const seen = this.requests.splice(0);
    return seen.map(
      ({ method, host, path }) => `${method} ${host} ${path.replace(/\?.*/, '').split('/').at(-1)}`,
    );
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  #address(index: number): string {
    const { port } = this.#servers[index]!.address() as AddressInfo;
    return this.#options.tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  }

  #seen(request: IncomingMessage, host: 'hub' | 'cdn'): SeenRequest {
    const { method = '', url: path = '', headers } = request;
    const seen = { method, host, path, range: headers.range, authorization: headers.authorization };
    this.requests.push(seen);
    return seen;
  }

  #hub({ method, path, authorization }: SeenRequest, response: ServerResponse): void {
    const { refuse } = this.faults;
    const { token } = this.#options;
    if (token !== undefined && authorization !== `Bearer ${token}`) {
      return refuseWith(response, 'GatedRepo', authorization === undefined ? 401 : 403);
    }
    if (refuse !== undefined && path.includes(refuse.path) && refuse.times !== 0) {
      if (refuse.times !== undefined) refuse.times -= 1;
      response.writeHead(refuse.status, refuse.code === undefined ? {} : { 'x-error-code': refuse.code });
      response.end('no');
      return;
    }
    const { pathname } = new URL(path, this.endpoint);
    const api = `/api/models/${this.#repository}/revision/`;
    if (pathname.startsWith(api)) return this.#revision(pathname.slice(api.length), response);
    const [, owner, model, route, commit, name = ''] = pathname.split('/');
    const bytes = this.#files.get(name);
    if (`${owner}/${model}` !== this.#repository || route !== 'resolve')
      return refuseWith(response, 'RepoNotFound', 401);
    if (commit !== this.commit) return refuseWith(response, 'RevisionNotFound');
    if (bytes === undefined) return refuseWith(response, 'EntryNotFound');
    const headers = { 'x-repo-commit': this.commit, 'accept-ranges': 'bytes' };
    if (lfs.test(name)) {
      response.writeHead(302, {
        ...headers,
        location: this.faults.redirect ?? `${this.#address(1)}/${name}`,
        'x-linked-etag': `"${sha256(bytes)}"`,
        'x-linked-size': this.faults.linkedSize ?? bytes.length,
      });
      response.end();
      return;
    }
    response.writeHead(200, { ...headers, etag: `"${gitHash(bytes)}"`, 'content-length': bytes.length });
    response.end(method === 'HEAD' ? undefined : bytes);
  }

  #revision(revision: string, response: ServerResponse): void {
    if (revision !== 'main' && revision !== this.commit) return refuseWith(response, 'RevisionNotFound');
    const siblings = [...this.#files.keys()].map((rfilename) => ({ rfilename }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: this.#repository, sha: this.commit, siblings, private: false }));
  }

  async #cdn({ path, range }: SeenRequest, response: ServerResponse): Promise<void> {
    await this.faults.beforeBody?.();
    const stored = this.file(path.slice(1));
    const whole = this.faults.damage?.(stored) ?? stored;
    const [, from = 0, to] = /^bytes=(\d+)-(\d*)$/.exec(this.faults.ignoresRange ? '' : (range ?? '')) ?? [];
    const start = Number(from);
    const extra = this.faults.extra?.shift() ?? 0;
    const bytes = whole.subarray(start, to ? Number(to) + 1 + extra : whole.length);
    const isPart = range !== undefined && this.faults.ignoresRange !== true;
    response.writeHead(isPart ? 206 : 200, {
      'content-length': bytes.length,
      ...(isPart ? { 'content-range': `bytes ${start}-${start + bytes.length - 1}/${whole.length}` } : {}),
    });
    const dropAt = this.faults.drops?.shift();
    if (dropAt === undefined || dropAt >= bytes.length) {
      this.servedBytes += bytes.length;
      response.end(bytes);
      return;
    }
    this.servedBytes += dropAt;
    response.write(bytes.subarray(0, dropAt), () => response.socket?.end());
  }
}

function refuseWith(response: ServerResponse, code: string, status = 404): void {
  response.writeHead(status, { 'x-error-code': code });
  response.end();
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Git's name of a file's contents. */
function gitHash(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
