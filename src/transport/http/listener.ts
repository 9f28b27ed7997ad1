import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { TlsIdentity } from '../security/tls-identity.ts';

export interface ListenerTls {
  readonly identity: TlsIdentity;
  /** How long a handshake may take. */
  readonly handshakeMs: number;
  /** For what became no connection. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** Node's server of HTTP/1.1, in the clear or over TLS. */
export function createListener(options: ServerOptions, handle: RequestListener, tls?: ListenerTls): Server {
  const server = tls === undefined ? createServer(options) : tlsListener(options, tls);
  server.on('request', handle);
  // The body is asked for when it is wanted, so that a refusal costs the client no upload.
  server.on('checkContinue', handle);
  // Nothing but 100-continue is defined, and what is not understood may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', handle);
  return server;
}

function tlsListener(options: ServerOptions, { identity, handshakeMs, onHandshakeFailed }: ListenerTls) {
  const server = createTlsServer({
    ...options,
    ...identity.context,
    requestCert: identity.requiresClientCertificate,
    rejectUnauthorized: true,
    handshakeTimeout: handshakeMs,
  });
  identity.onRenewed((context) => server.setSecureContext(context));
  // Node would tell it as a client's error in HTTP, which would be answered, in the clear.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error, socket) => {
    onHandshakeFailed(error);
    socket.destroy();
  });
  return server;
}
