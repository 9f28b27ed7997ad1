import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsIdentity } from '../security/tls-identity.ts';

/**
 * Server credentials that limit the time of a handshake, and replace certificate, key and CA in one step. grpc-js's own
 * have no such limit; its certificate providers replace certificate and CA one after the other, and drop every
 * connection while a file is missing. The base class leaves `_equals` to subclasses; grpc-js calls it only when a port is
 * bound twice.
 */
export class TlsCredentials extends ServerCredentials {
  constructor(identity: TlsIdentity, handshakeMs: number) {
    const requestCert = identity.requiresClientCertificate;
    super({ requestCert, rejectUnauthorized: true, handshakeTimeout: handshakeMs }, identity.context);
    identity.onRenewed((context) => this.updateSecureContextOptions(context));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
