import { once } from 'node:events';
import { type Agent, type IncomingMessage, request as sendPlain } from 'node:http';
import { request as sendSecure } from 'node:https';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { agentFor } from '../../../network/agent.ts';
import { describeProxy, type Proxy, proxyRefusal } from '../../../network/proxy.ts';
import type { HubAccess } from './access.ts';

export interface RequestOptions {
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** How long a connection may give nothing before it counts as dropped. */
const usualIdleMs = 60_000;

/** Sends requests over kept connections, through the proxies that the access names. */
export class Requests {
  readonly #access: Pick<HubAccess, 'proxyOf' | 'certificates'>;
  readonly #idleMs: number;
  /** By scheme and proxy. */
  readonly #agents = new Map<string, Agent>();

  constructor(access: Pick<HubAccess, 'proxyOf' | 'certificates'>, idleMs = usualIdleMs) {
    this.#access = access;
    this.#idleMs = idleMs;
  }

  /**
   * Resolves when the answer's headers are there. Its body is to be read or destroyed, and fails when the connection
   * goes quiet. Rejects with `unavailable` where the server cannot be reached, with `cancelled` when the signal
   * fires, and with proxyRefusal's error.
   */
  async send(url: URL, { method, headers, signal }: RequestOptions): Promise<IncomingMessage> {
    const proxy = this.#access.proxyOf(url);
    const quiet = new AbortController();
    const timer = setTimeout(() => quiet.abort(), this.#idleMs);
    try {
      const send = url.protocol === 'https:' ? sendSecure : sendPlain;
      const request = send(url, {
        method,
        headers,
        agent: this.#agentFor(url, proxy),
        signal: AbortSignal.any([signal, quiet.signal]),
      });
      const answered = once(request, 'response') as Promise<[IncomingMessage]>;
      request.end();
      const [response] = await answered;
      // Later failures also fail the body, whose reader reports them.
      request.on('error', () => undefined);
      endWhenQuiet(response, this.#idleMs);
      if (response.statusCode !== 407 || proxy === undefined) return response;
      response.destroy();
      throw proxyRefusal(proxy, url.host, 407);
    } catch (error) {
      if (signal.aborted) throw new ServiceError('cancelled', 'The import was cancelled.', { cause: error });
      if (error instanceof ServiceError) throw error;
      const way = proxy === undefined ? '' : ` through ${describeProxy(proxy)}`;
      const why = quiet.signal.aborted ? 'nothing arrives' : reasonOf(error);
      throw new ServiceError('unavailable', `${url.host} cannot be reached${way}: ${why}.`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #agentFor({ protocol }: URL, proxy: Proxy | undefined): Agent {
    const key = `${protocol} ${proxy?.url.href ?? ''}`;
    const { certificates } = this.#access;
    const tls = certificates === undefined ? {} : { ca: [...certificates] };
    const agent = this.#agents.get(key) ?? agentFor(protocol === 'https:' ? 'https:' : 'http:', proxy, tls);
    this.#agents.set(key, agent);
    return agent;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

function endWhenQuiet(response: IncomingMessage, idleMs: number): void {
  const { socket } = response;
  const end = () => response.destroy(new Error('nothing arrives'));
  socket.setTimeout(idleMs, end);
  // The next request may have the same socket.
  response.once('close', () => socket.setTimeout(0, end));
}

/** An unknown authority usually belongs to a proxy that intercepts TLS. */
function reasonOf(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  const isUntrusted = /SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY/.test(code);
  const hint = '; where a proxy intercepts TLS, NODE_EXTRA_CA_CERTS names the file of its certificate';
  return `${systemReason(error)}${isUntrusted ? hint : ''}`;
}
