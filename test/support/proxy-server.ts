import {
  createServer,
  type IncomingMessage,
  request as send,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';

export interface ProxyOptions {
  /** USER:PASSWORD that each request must bring. */
  readonly credentials?: string;
  /** A status for every request, instead of passing it on. */
  readonly refuseWith?: number;
  /** Ports of this machine that stand for hosts, by the hosts' names. */
  readonly hosts?: Readonly<Record<string, number>>;
}

/** An HTTP proxy on a port of this machine: it forwards requests in absolute form, and tunnels by CONNECT. */
export class ProxyServer {
  /** `GET http://host/path` or `CONNECT host:port`, in order of arrival, of those that were passed on. */
  readonly passed: string[] = [];
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#forward(request, response));
    this.#server.on('connect', (request: IncomingMessage, client: Duplex) => this.#tunnel(request, client));
    this.#server.on('connection', (socket: Socket) => this.#keep(socket));
  }

  /** Serves until the test ends. */
  static async open(t: TestContext, options: ProxyOptions = {}): Promise<ProxyServer> {
    const proxy = new ProxyServer(options);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    t.after(() => {
      for (const socket of proxy.#sockets) socket.destroy();
      proxy.#server.close();
    });
    return proxy;
  }

  /** HOST:PORT. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    // Whoever the tunnel leads to may go without a word.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** The status to refuse a request with; undefined for one to pass on. */
  #refusal({ headers }: IncomingMessage): number | undefined {
    const { credentials, refuseWith } = this.#options;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (expected !== undefined && headers['proxy-authorization'] !== expected) return 407;
    return refuseWith;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : undefined;
    const refused = url === undefined ? 400 : this.#refusal(request);
    if (url === undefined || refused !== undefined) {
      response.writeHead(refused ?? 400).end();
      return;
    }
    this.passed.push(`${request.method} ${url.href}`);
    const { 'proxy-authorization': _, 'proxy-connection': __, ...headers } = request.headers;
    const { method } = request;
    const { host, port } = this.#whereIs(url.hostname, url.port || '80');
    const onward = send({ host, port, path: url.pathname + url.search, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    request.pipe(onward);
  }

  #tunnel(request: IncomingMessage, client: Duplex): void {
    const [, name = '', port = ''] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    const refused = this.#refusal(request);
    if (refused !== undefined) {
      client.end(`HTTP/1.1 ${refused} no\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.passed.push(`CONNECT ${request.url}`);
    const server = connect(this.#whereIs(name, port), () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(server).pipe(client);
    });
    this.#keep(server);
    client.on('close', () => server.destroy());
  }

  #whereIs(name: string, port: string): { readonly host: string; readonly port: number } {
    const stood = this.#options.hosts?.[name];
    return stood === undefined ? { host: name, port: Number(port) } : { host: '127.0.0.1', port: stood };
  }
}
