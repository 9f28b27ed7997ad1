import { BlockList, isIP } from 'node:net';

/**
 * Whether NO_PROXY excludes an address. An entry of the list is `*` for every host, a name for itself and its
 * subdomains, `.name` or `*.name` for the subdomains alone, or an IP address or range (`10.0.0.0/8`). A port narrows
 * an entry, and so does a scheme, behind which a name stands for itself alone. Names are not resolved. These are the
 * rules of Python's httpx, and the ranges of its requests.
 */
export function isExcluded(target: URL, noProxy: string): boolean {
  return noProxy.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), target));
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

function matches(entry: string, target: URL): boolean {
  if (entry === '*') return true;
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/.exec(entry) ?? [];
  if (scheme !== undefined && scheme !== 'all' && `${scheme}:` !== target.protocol) return false;
  const { host, port } = splitPort(rest);
  if (port !== undefined && port !== (target.port || defaultPorts[target.protocol])) return false;
  const name = bare(target.hostname);
  return scheme !== undefined && !host.startsWith('*') ? host === name : matchesHost(host, name);
}

/** An IPv6 address has a port only behind brackets. */
function splitPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const [, host, port] = /^(\[.*\]|[^:]*):(\d+)$/.exec(text) ?? [];
  return { host: bare(host ?? text), port };
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function matchesHost(entry: string, host: string): boolean {
  if (isIP(host) !== 0) return matchesAddress(entry, host);
  if (entry === 'localhost') return host === entry;
  const name = entry.replace(/^\*(?=\.)/, '');
  if (name.startsWith('.')) return name !== '.' && host.endsWith(name);
  return host === name || (name !== '' && host.endsWith(`.${name}`));
}

function matchesAddress(entry: string, address: string): boolean {
  const [network = '', bits] = entry.split('/');
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  const prefix = bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits);
  const isRange = isIP(network) !== 0 && Number.isInteger(prefix) && prefix >= 0;
  if (!isRange || prefix > (family === 'ipv6' ? 128 : 32) || bits === '') return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
