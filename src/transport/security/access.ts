import type { Caller } from '../../admission/caller.ts';
import { allOf, ServiceError } from '../../errors/service-error.ts';
import { type ApiKey, readKeysFile } from './api-key.ts';
import { type Authenticate, KeyRing, type Keys, noKeys } from './authenticate.ts';
import { every, ReloadedFiles, type ReloadLogger, type Ticker } from './reloaded-files.ts';
import { TlsIdentity } from './tls-identity.ts';

export interface AccessConfig {
  readonly apiKeys?: readonly ApiKey[] | undefined;
  readonly apiKeysFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** Every client must show a certificate that one of these CAs signed. */
  readonly tlsClientCa?: string | undefined;
}

/** How often the files are read again. */
const reloadMs = 2000;

/** API keys and TLS of both transports. Reloads their files until it is closed. */
export class Access {
  readonly authenticate: Authenticate;
  /** The callers that have keys; empty where there are no keys. */
  readonly callers: () => readonly Caller[];
  /** Undefined for plaintext connections. */
  readonly tls: TlsIdentity | undefined;
  readonly #files: readonly ReloadedFiles[];

  private constructor(
    { authenticate, callers }: Keys,
    tls: TlsIdentity | undefined,
    files: readonly ReloadedFiles[],
  ) {
    this.authenticate = authenticate;
    this.callers = callers;
    this.tls = tls;
    this.#files = files;
  }

  /** Rejects with `invalid_argument`, and reports all faults at once, when files cannot be read or used. */
  static async open(
    config: AccessConfig,
    logger: ReloadLogger,
    ticker: Ticker = every(reloadMs),
  ): Promise<Access> {
    const files: ReloadedFiles[] = [];
    try {
      const [keys, tls] = await allOf([
        openKeys(config, logger, ticker, files),
        openTls(config, logger, ticker, files),
      ]);
      return new Access(keys, tls, files);
    } catch (error) {
      for (const each of files) each.close();
      throw error;
    }
  }

  close(): void {
    for (const each of this.#files) each.close();
  }
}

async function openKeys(
  { apiKeys, apiKeysFile, tlsClientCa }: AccessConfig,
  logger: ReloadLogger,
  ticker: Ticker,
  files: ReloadedFiles[],
): Promise<Keys> {
  if (apiKeysFile === undefined) {
    if (apiKeys !== undefined) return new KeyRing(apiKeys);
    if (tlsClientCa === undefined)
      logger.info({}, 'there are no API keys: everyone who can reach the service may use it');
    return noKeys;
  }
  const file = { flag: '--api-keys-file', path: apiKeysFile };
  const ring = new KeyRing();
  const take = ([content]: readonly Buffer[]): void => {
    const reading = readKeysFile(String(content));
    if (!reading.ok) {
      const invalid = `${file.flag} ${file.path} is invalid`;
      const sentences = reading.problems.map((problem) => `${invalid}: ${problem}.`);
      const message = `${invalid}: ${reading.problems.join('; ')}.`;
      throw new ServiceError('invalid_argument', message, { sentences });
    }
    ring.replace(reading.keys);
  };
  files.push(await ReloadedFiles.open({ what: 'API keys', files: [file], take }, logger, ticker));
  return ring;
}

async function openTls(
  { tlsCert, tlsKey, tlsClientCa }: AccessConfig,
  logger: ReloadLogger,
  ticker: Ticker,
  files: ReloadedFiles[],
): Promise<TlsIdentity | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const tls = new TlsIdentity({ requiresClientCertificate: tlsClientCa !== undefined });
  const take = (contents: readonly Buffer[]): void => {
    tls.renew(contents);
    const { validTo } = tls;
    const fields = { valid_to: validTo.toISOString() };
    if (validTo.getTime() < Date.now()) logger.warn(fields, 'the TLS certificate has expired');
    else logger.info(fields, 'the TLS certificate is in use');
  };
  const tlsFiles = [
    { flag: '--tls-cert', path: tlsCert },
    { flag: '--tls-key', path: tlsKey },
    ...(tlsClientCa === undefined ? [] : [{ flag: '--tls-client-ca', path: tlsClientCa }]),
  ];
  files.push(await ReloadedFiles.open({ what: 'TLS files', files: tlsFiles, take }, logger, ticker));
  return tls;
}
