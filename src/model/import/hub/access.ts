import { readFileSync } from 'node:fs';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { findProxy, type Proxy } from '../../../network/proxy.ts';
import { isTrue } from './flag.ts';
import { findCacheFolder, findTokenFile } from './places.ts';
import { type HubToken, readToken } from './token.ts';

/** How to reach the hub, and where to keep what it gives. */
export interface HubAccess {
  /** Address above all repositories, without a slash at its end. */
  readonly endpoint: string;
  readonly token: HubToken | undefined;
  /** What to do for a repository that needs a token, where there is none. */
  readonly tokenHint: string;
  /** The variable that forbids every request; undefined where they are allowed. */
  readonly offline: string | undefined;
  /** Folder of models--OWNER--NAME, shared with Python's huggingface_hub. */
  readonly cacheFolder: string;
  /** The proxy to an address. Throws as findProxy does. */
  readonly proxyOf: (url: URL) => Proxy | undefined;
  /** PEM of the authorities to trust; undefined for Node's own. */
  readonly certificates: readonly string[] | undefined;
}

const publicHub = 'https://huggingface.co';
const certificateVariables = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'];

/**
 * Reads the variables of Python's huggingface_hub and of its HTTP client: endpoint, token, places, proxies and
 * certificates. Throws `invalid_argument`, without the value, for a variable that cannot be used.
 */
export function readHubAccess(env: NodeJS.ProcessEnv): HubAccess {
  const withheld = isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN']);
  return {
    endpoint: readEndpoint(env['HF_ENDPOINT']?.trim() || publicHub),
    token: readToken(env, findTokenFile(env)),
    tokenHint: withheld ? 'unset HF_HUB_DISABLE_IMPLICIT_TOKEN' : 'set HF_TOKEN or run "hf auth login"',
    offline: ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].find((name) => isTrue(env[name])),
    cacheFolder: findCacheFolder(env),
    proxyOf: (url) => findProxy(url, env),
    certificates: readCertificates(env),
  };
}

function readEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw invalidArgument('HF_ENDPOINT must be an http or https address, without a user.');
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** As in Python the file takes the place of the usual authorities; Node's own addition to those stays one. */
function readCertificates(env: NodeJS.ProcessEnv): readonly string[] | undefined {
  const bundle = certificateVariables.find((name) => env[name]);
  if (bundle === undefined) return undefined;
  return [bundle, 'NODE_EXTRA_CA_CERTS'].flatMap((name) => {
    const file = env[name];
    if (!file) return [];
    try {
      return [readFileSync(file, 'utf8')];
    } catch (error) {
      const message = `${name} names ${file}, which cannot be read: ${systemReason(error)}.`;
      throw invalidArgument(message, error);
    }
  });
}
