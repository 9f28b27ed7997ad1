import { readFile } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { certificatesIn, identityCertificate, type PemFile } from '../../network/pem.ts';

/** Files with which this service checks servers and identifies itself to them. */
export interface RemoteAccess {
  /** PEM file of the authorities that sign the servers' certificates; the system's when absent. */
  readonly caFile?: string | undefined;
  /** PEM files of a client certificate and its key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** File of a token that every call carries as `authorization: Bearer TOKEN`. */
  readonly tokenFile?: string | undefined;
}

/** What the files hold. */
export interface Credentials {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

/** Rejects with `invalid_argument` if a file cannot be read or used. */
export async function readAccess(access: RemoteAccess): Promise<Credentials> {
  const [ca, cert, key, token] = await Promise.all([
    read('--remote-engine-ca', access.caFile),
    read('--remote-engine-cert', access.certFile),
    read('--remote-engine-key', access.keyFile),
    read('--remote-engine-token-file', access.tokenFile),
  ]);
  if (ca !== undefined) certificatesIn(ca);
  if (cert !== undefined && key !== undefined) identityCertificate(cert, key);
  return { ca: ca?.text, cert: cert?.text, key: key?.text, token: token?.text.trim() };
}

async function read(flag: string, file: string | undefined): Promise<PemFile | undefined> {
  if (file === undefined) return undefined;
  try {
    return { flag, text: await readFile(file, 'utf8') };
  } catch (error) {
    throw new ServiceError('invalid_argument', `${flag} ${file} cannot be read: ${systemReason(error)}.`);
  }
}
