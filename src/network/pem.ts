import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ServiceError } from '../errors/service-error.ts';

/** A PEM file: the flag that names it, and its text. */
export interface PemFile {
  readonly flag: string;
  readonly text: string;
}

/** The certificate of an identity. Throws `invalid_argument` if a file is not PEM, or they do not belong together. */
export function identityCertificate(cert: PemFile, key: PemFile): X509Certificate {
  const certificate = certificateIn(cert);
  if (!certificate.checkPrivateKey(privateKeyIn(key))) {
    throw new ServiceError('invalid_argument', `${key.flag} does not belong to ${cert.flag}.`);
  }
  try {
    createSecureContext({ cert: cert.text, key: key.text });
  } catch (cause) {
    throw new ServiceError('invalid_argument', `OpenSSL rejects ${cert.flag} or ${key.flag}.`, { cause });
  }
  return certificate;
}

/** Checks each certificate by itself. In a text with garbage, Node would silently use what comes before it. */
export function certificatesIn({ flag, text }: PemFile): string[] {
  const blocks = text.match(/-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----.*?-----END \1-----/gs) ?? [''];
  return blocks.map((block) => {
    certificateIn({ flag, text: block });
    return block;
  });
}

function certificateIn({ flag, text }: PemFile): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new ServiceError('invalid_argument', `${flag} is not a PEM certificate.`, { cause });
  }
}

function privateKeyIn({ flag, text }: PemFile): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const message = `${flag} must be a PEM private key without a passphrase.`;
    throw new ServiceError('invalid_argument', message, { cause });
  }
}
