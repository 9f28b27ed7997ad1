import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsIdentity } from '../security/tls-identity.ts';

/**
 * grpc-js's server credentials from a TLS identity, renewed with it. Its own are not enough: those of createSsl
 * cannot be renewed, those of a certificate provider take certificate and CA one after the other and drop every
 * connection while a file is not there, and neither has a limit on the time of a handshake.
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
