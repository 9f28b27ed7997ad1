import { Agent, type ClientRequest } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type Proxy, proxyRefusal } from './proxy.ts';

/**
 * An agent for requests to servers of `scheme`, through `proxy` if there is one: https by CONNECT, http by asking the proxy
 * for the whole address. `tls` applies to the servers; the connection to the proxy uses only its `ca`. A request that the
 * proxy refuses to connect fails with proxyRefusal's error.
 */
export function agentFor(
  scheme: 'http:' | 'https:',
  proxy: Proxy | undefined,
  tls: SecureContextOptions = {},
): Agent {
  const keepAlive = true;
  if (proxy === undefined)
    return scheme === 'https:' ? new TlsAgent({ keepAlive, ...tls }) : new Agent({ keepAlive });
  return scheme === 'https:'
    ? new TunnelAgent(proxy, tls)
    : new HttpProxyAgent(proxy.url, { keepAlive, ...caOf(tls) });
}

class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #proxy: Proxy;
  readonly #tls: SecureContextOptions;

  constructor(proxy: Proxy, tls: SecureContextOptions) {
    super(proxy.url, { keepAlive: true, ...caOf(tls) });
    this.#proxy = proxy;
    this.#tls = tls;
  }

  override async connect(
    request: ClientRequest,
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): Promise<Socket> {
    let status = 200;
    request.once('proxyConnect', ({ statusCode }: { readonly statusCode: number }) => {
      status = statusCode;
    });
    const socket = await super.connect(request, { ...options, ...this.#tls });
    if (status === 200) return socket;
    // The library would hand on the proxy's own answer as if the server had given it.
    socket.destroy();
    throw proxyRefusal(this.#proxy, String(options.host), status);
  }
}

function caOf({ ca }: SecureContextOptions): Pick<SecureContextOptions, 'ca'> {
  return ca === undefined ? {} : { ca };
}
