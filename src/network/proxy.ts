import { ServiceError } from '../errors/service-error.ts';
import { isExcluded } from './no-proxy.ts';

/** The proxy that a request goes through. */
export interface Proxy {
  /** http or https, with the credentials that it may need. */
  readonly url: URL;
  /** The environment variable that names it. */
  readonly variable: string;
}

/**
 * The proxy for an http or https address, or undefined where the connection is direct. Follows Python's httpx:
 * HTTP_PROXY or HTTPS_PROXY by the address's scheme, else ALL_PROXY, unless NO_PROXY excludes the address. Throws
 * `invalid_argument` where the variable names no HTTP proxy; the message leaves out its value, which may hold a
 * password.
 */
export function findProxy(target: URL, env: NodeJS.ProcessEnv): Proxy | undefined {
  const own = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  return proxyOf(target, [own, 'ALL_PROXY'], ['NO_PROXY'], env);
}

/** The same for a gRPC target, whose clients look at GRPC_PROXY and NO_GRPC_PROXY first, and at both schemes. */
export function findGrpcProxy(target: URL, env: NodeJS.ProcessEnv): Proxy | undefined {
  const names = ['GRPC_PROXY', 'HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'];
  return proxyOf(target, names, ['NO_GRPC_PROXY', 'NO_PROXY'], env);
}

/** A proxy's address without its credentials, and the variable that names it. */
export function describeProxy({ url, variable }: Proxy): string {
  return `the proxy ${url.protocol}//${url.host} (${variable})`;
}

/** What a proxy's refusal means: `unavailable` where it may pass, else `invalid_argument`. */
export function proxyRefusal(proxy: Proxy, target: string, status: number): ServiceError {
  const who = describeProxy(proxy);
  // tinyproxy answers wrong credentials with 401.
  if (status === 407 || status === 401) {
    const wants =
      proxy.url.username === '' ? 'asks for credentials' : 'does not accept the credentials given';
    const message = `${capital(who)} ${wants}: set ${proxy.variable} to http://USER:PASSWORD@HOST:PORT.`;
    return new ServiceError('invalid_argument', message);
  }
  const code = status === 429 || status >= 500 ? 'unavailable' : 'invalid_argument';
  return new ServiceError(
    code,
    `${capital(who)} does not connect to ${target}: it answers with status ${status}.`,
  );
}

function proxyOf(
  target: URL,
  names: readonly string[],
  exclusions: readonly string[],
  env: NodeJS.ProcessEnv,
): Proxy | undefined {
  const found = firstSet(names, env);
  if (found === undefined) return undefined;
  const excluded = firstSet(exclusions, env);
  if (excluded !== undefined && isExcluded(target, excluded.value)) return undefined;
  return { url: readProxyUrl(found), variable: found.variable };
}

interface Variable {
  readonly variable: string;
  readonly value: string;
}

/** A lower-case variable hides its upper-case twin, even when it is empty. */
function firstSet(names: readonly string[], env: NodeJS.ProcessEnv): Variable | undefined {
  for (const name of names) {
    const lower = name.toLowerCase();
    const variable = env[lower] === undefined ? name : lower;
    const value = env[variable]?.trim() ?? '';
    if (value !== '') return { variable, value };
  }
  return undefined;
}

function readProxyUrl({ variable, value }: Variable): URL {
  const text = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) {
    url.username = encodeStrayPercents(url.username);
    url.password = encodeStrayPercents(url.password);
    return url;
  }
  const problem = url?.protocol.startsWith('socks')
    ? `${variable} names a SOCKS proxy, and only HTTP proxies are supported: give one as http://HOST:PORT`
    : `${variable} is not the address of a proxy: give one as http://HOST:PORT`;
  throw new ServiceError('invalid_argument', `${problem}, or list the host in NO_PROXY.`);
}

/** A password with a % that was not percent-encoded. */
function encodeStrayPercents(text: string): string {
  return text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
