import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from '../../bench/processes/free-port.ts';

/** A reverse proxy that serves a local port below a path prefix, and can go away. */
export class FrontProxy {
  readonly #prefix: string;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  readonly #port: number;

  private constructor(port: number, prefix: string, targetPort: number) {
    this.#port = port;
    this.#prefix = prefix;
    this.#targetPort = targetPort;
  }

  static async start(prefix: string, targetPort: number): Promise<FrontProxy> {
    const proxy = new FrontProxy(await freePort(), prefix, targetPort);
    await proxy.open();
    return proxy;
  }

  /** The address of the page. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}${this.#prefix}/`;
  }

  /** Listens, each time on the same port. */
  async open(): Promise<void> {
    const server = createServer((incoming, outgoing) => {
      const { url = '', method, headers } = incoming;
      if (!url.startsWith(`${this.#prefix}/`)) {
        outgoing.writeHead(404).end();
        return;
      }
      const path = url.slice(this.#prefix.length);
      const onward = request(
        { host: '127.0.0.1', port: this.#targetPort, path, method, headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  /** Refuses connections from now on. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    for (const socket of this.#sockets) socket.destroy();
    if (server?.listening === true) await once(server, 'close');
  }
}
