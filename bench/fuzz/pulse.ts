import { createHash } from 'node:crypto';
import { Client, credentials } from '@grpc/grpc-js';
import type { ServiceProcess } from '../processes/service-process.ts';

/** Far beyond what these take: a service that answers later is not well. */
const probeLimitMs = 5000;
/** Long enough for an encode on a machine that others keep busy. */
const encodeLimitMs = 30_000;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Asks a service that has nothing else to do whether it is as well as it was. */
export class Pulse {
  readonly #service: ServiceProcess;
  readonly #picture: Buffer;
  readonly #client: Client;
  #tokens: string | undefined;

  constructor(service: ServiceProcess, picture: Buffer) {
    this.#service = service;
    this.#picture = picture;
    this.#client = new Client(service.grpcAddress, credentials.createInsecure());
  }

  /**
   * What is wrong with it; undefined where it is alive over both transports and gives a picture the tokens it gave
   * first.
   */
  async fault(): Promise<string | undefined> {
    try {
      const { url } = this.#service;
      const alive = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(probeLimitMs) });
      if (alive.status !== 200) return `/healthz answers ${alive.status}`;
      if (!(await this.#serves())) return 'grpc.health.v1 does not say SERVING';
      const answer = await fetch(`${url}/v1/encode?format=raw&dtype=float32`, {
        method: 'POST',
        headers: { 'cache-control': 'no-store' },
        body: new Uint8Array(this.#picture),
        signal: AbortSignal.timeout(encodeLimitMs),
      });
      if (answer.status !== 200) return `a right picture is answered with ${answer.status}`;
      const tokens = createHash('sha256')
        .update(Buffer.from(await answer.arrayBuffer()))
        .digest('hex');
      this.#tokens ??= tokens;
      return tokens === this.#tokens ? undefined : 'a picture has other tokens than before';
    } catch (error) {
      return `it does not answer: ${String(error)}`;
    }
  }

  close(): void {
    this.#client.close();
  }

  #serves(): Promise<boolean> {
    const deadline = Date.now() + probeLimitMs;
    return new Promise((resolve) => {
      const path = '/grpc.health.v1.Health/Check';
      this.#client.makeUnaryRequest(
        path,
        asIs,
        asIs,
        Buffer.alloc(0),
        { deadline },
        (_error, answer?: Buffer) => {
          resolve(answer !== undefined && answer.equals(Buffer.of(8, 1)));
        },
      );
    });
  }
}
