import type { SecureContextOptions } from 'node:tls';
import { certificatesIn, identityCertificate } from '../../network/pem.ts';

/** The certificate and key of both transports, and the CA that clients' certificates need. They can be renewed. */
export class TlsIdentity {
  /** Whether clients must show a certificate that the client CA signed. */
  readonly requiresClientCertificate: boolean;
  readonly #listeners = new Set<(context: SecureContextOptions) => void>();
  #context: SecureContextOptions = {};
  #validTo = new Date(0);

  constructor({ requiresClientCertificate }: { readonly requiresClientCertificate: boolean }) {
    this.requiresClientCertificate = requiresClientCertificate;
  }

  /** The context for the servers of Node and grpc-js. */
  get context(): SecureContextOptions {
    return this.#context;
  }

  /** When the certificate expires. */
  get validTo(): Date {
    return this.#validTo;
  }

  /**
   * Uses this certificate, key and client CA for new connections from now on. Throws `invalid_argument`, and changes
   * nothing, if they are not PEM or do not belong together.
   */
  renew([cert, key, clientCa]: readonly Buffer[]): void {
    const { context, validTo } = checkedContext(cert, key, clientCa);
    this.#context = context;
    this.#validTo = validTo;
    for (const listener of this.#listeners) listener(context);
  }

  /** Calls `listener` with every new context. */
  onRenewed(listener: (context: SecureContextOptions) => void): void {
    this.#listeners.add(listener);
  }
}

function checkedContext(certFile?: Buffer, keyFile?: Buffer, clientCa?: Buffer) {
  const cert = String(certFile);
  const key = String(keyFile);
  const certificate = identityCertificate(
    { flag: '--tls-cert', text: cert },
    { flag: '--tls-key', text: key },
  );
  const context = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined
      ? {}
      : { ca: certificatesIn({ flag: '--tls-client-ca', text: String(clientCa) }) }),
  } as const;
  return { context, validTo: new Date(certificate.validTo) };
}
