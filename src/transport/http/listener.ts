import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { TlsIdentity } from '../security/tls-identity.ts';
import type { HttpLimits } from './limits.ts';

export interface ListenerOptions {
  readonly limits: HttpLimits;
  /** If absent, connections are not encrypted. */
  readonly tls?: TlsIdentity | undefined;
  /** Called for a connection whose TLS handshake failed. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** Node's HTTP/1.1 server, with or without TLS. */
export function createListener(options: ListenerOptions, handle: RequestListener): Server {
  const server =
    options.tls === undefined ? createServer(timeouts(options)) : tlsServer(options, options.tls);
  server.maxConnections = options.limits.maxConnections;
  server.on('request', handle);
  // The body is asked for only once it is wanted, so that a refusal costs the client no upload.
  server.on('checkContinue', handle);
  // An unknown expectation may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', handle);
  return server;
}

function timeouts({ limits }: ListenerOptions): ServerOptions {
  return {
    headersTimeout: Math.min(limits.headersMs, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(50, Math.min(5000, limits.headersMs / 4, limits.requestMs / 4)),
    maxHeaderSize: limits.maxHeaderBytes,
  };
}

function tlsServer(options: ListenerOptions, identity: TlsIdentity): Server {
  const server = createTlsServer({
    ...timeouts(options),
    ...identity.context,
    requestCert: identity.requiresClientCertificate,
    rejectUnauthorized: true,
    handshakeTimeout: options.limits.handshakeMs,
  });
  identity.onRenewed((context) => server.setSecureContext(context));
  // Node's own listener reports a failed handshake as a client error, which would be answered in the clear.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error, socket) => {
    options.onHandshakeFailed(error);
    socket.destroy();
  });
  return server;
}
