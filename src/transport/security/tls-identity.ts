import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServiceError } from '../../errors/service-error.ts';

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

function checkedContext(cert?: Buffer, key?: Buffer, clientCa?: Buffer) {
  const certificate = certificateIn('--tls-cert', String(cert));
  if (!certificate.checkPrivateKey(privateKeyIn(String(key)))) {
    throw new ServiceError('invalid_argument', '--tls-key does not belong to --tls-cert.');
  }
  const context = {
    cert: String(cert),
    key: String(key),
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined ? {} : { ca: certificatesIn('--tls-client-ca', String(clientCa)) }),
  } as const;
  try {
    createSecureContext(context);
  } catch (cause) {
    throw new ServiceError('invalid_argument', 'OpenSSL rejects --tls-cert or --tls-key.', { cause });
  }
  return { context, validTo: new Date(certificate.validTo) };
}

/** Checks each certificate by itself. In a text with garbage, Node would silently use what comes before it. */
function certificatesIn(flag: string, text: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [''];
  return blocks.map((block) => {
    certificateIn(flag, block);
    return block;
  });
}

function certificateIn(flag: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new ServiceError('invalid_argument', `${flag} is not a PEM certificate.`, { cause });
  }
}

function privateKeyIn(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const message = '--tls-key must be a PEM private key without a passphrase.';
    throw new ServiceError('invalid_argument', message, { cause });
  }
}
