import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServiceError } from '../../errors/service-error.ts';

/** What a server shows and asks for in a TLS handshake; both transports have the same one. */
export class TlsIdentity {
  /** Whether a client must show a certificate that the client CA has signed. */
  readonly requiresClientCertificate: boolean;
  readonly #listeners = new Set<(context: SecureContextOptions) => void>();
  #context: SecureContextOptions = {};
  #validTo = new Date(0);

  constructor({ requiresClientCertificate }: { readonly requiresClientCertificate: boolean }) {
    this.requiresClientCertificate = requiresClientCertificate;
  }

  /** For node's and grpc-js's servers. */
  get context(): SecureContextOptions {
    return this.#context;
  }

  /** When the certificate expires. */
  get validTo(): Date {
    return this.#validTo;
  }

  /**
   * Has this certificate and key, and where clients need one this client CA, in use for new connections from now on.
   * Throws `invalid_argument`, and changes nothing, where they are not PEM or do not belong together.
   */
  renew([cert, key, clientCa]: readonly Buffer[]): void {
    const { context, validTo } = checkedContext(cert, key, clientCa);
    this.#context = context;
    this.#validTo = validTo;
    for (const listener of this.#listeners) listener(context);
  }

  /** Calls `listener` with every later context. */
  onRenewed(listener: (context: SecureContextOptions) => void): void {
    this.#listeners.add(listener);
  }
}

function checkedContext(cert?: Buffer, key?: Buffer, clientCa?: Buffer) {
  const certificate = certificateIn('--tls-cert', String(cert));
  if (!certificate.checkPrivateKey(privateKeyIn(String(key)))) {
    throw new ServiceError('invalid_argument', '--tls-key is not the key of --tls-cert.');
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
    throw new ServiceError('invalid_argument', 'OpenSSL refuses --tls-cert or --tls-key.', { cause });
  }
  return { context, validTo: new Date(certificate.validTo) };
}

/** Each on its own: of a text with something else in it, node would silently take what comes before. */
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
    throw new ServiceError('invalid_argument', `${flag} is not a certificate in PEM.`, { cause });
  }
}

function privateKeyIn(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const message = '--tls-key is not a private key in PEM without a passphrase.';
    throw new ServiceError('invalid_argument', message, { cause });
  }
}
