import { Agent, request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { FuzzCase } from './cases.ts';

/** How a case ended: a status of HTTP or gRPC, or that the connection was closed. */
export type Ending = `http ${number}` | `grpc ${string}` | 'closed' | 'hang';

/** After this the service counts as hanging. */
const hangMs = 30_000;
/** Raw bytes may be half a request, which the service waits for: it is enough that it does not break. */
const rawMs = 50;

/** Sends cases to one service. */
export class Sender {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #session: ClientHttp2Session;

  constructor(url: string, grpcAddress: string) {
    this.#url = new URL(url);
    this.#session = connectHttp2(`http://${grpcAddress}`);
    this.#session.on('error', () => undefined);
  }

  send(sent: FuzzCase): Promise<Ending> {
    switch (sent.kind) {
      case 'http':
        return this.#http(sent);
      case 'raw':
        return this.#raw(sent);
      case 'grpc':
        return this.#grpc(sent);
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#session.close();
  }

  #http({ path, headers, body }: Extract<FuzzCase, { kind: 'http' }>): Promise<Ending> {
    return new Promise((resolve) => {
      const { hostname, port } = this.#url;
      const method = path.startsWith('/v1/plan') ? 'GET' : 'POST';
      const length = method === 'GET' ? {} : { 'content-length': body.byteLength };
      const timer = setTimeout(() => {
        asked.destroy();
        resolve('hang');
      }, hangMs);
      const end = (ending: Ending): void => {
        clearTimeout(timer);
        resolve(ending);
      };
      const asked = request(
        { agent: this.#agent, hostname, port, path, method, headers: { ...headers, ...length } },
        (response) => {
          response
            .on('error', () => end('closed'))
            .once('close', () => end(`http ${response.statusCode ?? 0}`))
            .resume();
        },
      );
      asked.once('error', () => end('closed'));
      // What asks to be told to go on sends its body all the same.
      asked.end(method === 'GET' ? undefined : body);
    });
  }

  #raw({ bytes }: Extract<FuzzCase, { kind: 'raw' }>): Promise<Ending> {
    return new Promise((resolve) => {
      const socket = connect(Number(this.#url.port), this.#url.hostname);
      let status: Ending = 'closed';
      socket.on('data', (data) => {
        const code = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'))?.[1];
        if (code !== undefined && status === 'closed') status = `http ${Number(code)}`;
      });
      socket.on('error', () => undefined);
      socket.once('close', () => resolve(status));
      socket.write(bytes);
      setTimeout(() => socket.destroy(), rawMs);
    });
  }

  #grpc({ method, messages }: Extract<FuzzCase, { kind: 'grpc' }>): Promise<Ending> {
    return new Promise((resolve) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': `/siglip_hd.v1.VisualEncoderService/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status: string | undefined;
      const timer = setTimeout(() => {
        stream.close();
        resolve('hang');
      }, hangMs);
      stream.on('response', (headers) => (status ??= headers['grpc-status']?.toString()));
      stream.on('trailers', (headers) => (status ??= headers['grpc-status']?.toString()));
      stream.on('error', () => undefined);
      stream.once('close', () => {
        clearTimeout(timer);
        resolve(status === undefined ? 'closed' : `grpc ${status}`);
      });
      stream.resume();
      for (const message of messages) {
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(message.byteLength, 1);
        stream.write(Buffer.concat([prefix, message]));
      }
      stream.end();
    });
  }
}
