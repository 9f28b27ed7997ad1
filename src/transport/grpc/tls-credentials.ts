import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsIdentity } from '../security/tls-identity.ts';

/**
 * Server credentials that limit the time of a handshake, which those of grpc-js do not. `watchConnections` renews their
 * certificate. The base class leaves `_equals` to subclasses; grpc-js calls it only when a port is bound twice.
 */
export class TlsCredentials extends ServerCredentials {
  constructor(identity: TlsIdentity, handshakeMs: number) {
    const requestCert = identity.requiresClientCertificate;
    super({ requestCert, rejectUnauthorized: true, handshakeTimeout: handshakeMs }, identity.context);
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
