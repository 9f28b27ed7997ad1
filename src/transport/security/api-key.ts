import { createHash } from 'node:crypto';
import type { Caller } from '../../admission/caller.ts';

/** An API key and whose it is. The key itself is not kept. */
export interface ApiKey {
  /** SHA-256 of the key, in hex. */
  readonly digest: string;
  readonly caller: Caller & { readonly name: string };
}

/** Keys, or what is wrong with their text: phrases such as "line 3 has no key". They quote nothing of it. */
export type KeysReading =
  | { readonly ok: true; readonly keys: readonly ApiKey[] }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Entry {
  /** "line 3" of a file, "entry 3" of a list. */
  readonly place: string;
  readonly fields: readonly string[];
}

/** What RFC 6750 lets a bearer token be: neither a space nor a separator of ours is in it. */
const keyPattern = /^[A-Za-z0-9._~+/-]+=*$/;
const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
const shortestKey = 16;
const largestWeight = 1000;
/** Every name is a label of metrics. */
const mostKeys = 1000;

/** SHA-256 of a key. */
export function keyDigest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/**
 * Reads a file of keys: `NAME KEY [bulk] [weight=N]` a line, with spaces or tabs between; empty lines and those that
 * start with # are left out.
 */
export function readKeysFile(text: string): KeysReading {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const entries = lines.map((line, index) => ({
    place: `line ${index + 1}`,
    fields: line.split(/[ \t]+/).filter((field) => field !== ''),
  }));
  return readEntries(entries.filter(({ fields: [first] }) => first !== undefined && !first.startsWith('#')));
}

/** Reads a list of keys, `NAME:KEY[:bulk][:weight=N]` with commas between. */
export function readKeyList(text: string): KeysReading {
  const entries = text.split(',').map((entry, index) => ({
    place: `entry ${index + 1}`,
    fields: entry.split(':').map((field) => field.trim()),
  }));
  return readEntries(entries);
}

function readEntries(entries: readonly Entry[]): KeysReading {
  if (entries.length === 0) return { ok: false, problems: ['there are no keys'] };
  if (entries.length > mostKeys) {
    return { ok: false, problems: [`there are ${entries.length} keys, more than ${mostKeys}`] };
  }
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  const places = new Map<string, string>();
  for (const { place, fields } of entries) {
    const [name = '', key = '', ...attributes] = fields;
    const digest = keyDigest(key).toString('hex');
    const wrong = [...wrongName(name), ...wrongKey(key), ...wrongAttributes(attributes)];
    const [namesake, twin] = [places.get(`name ${name}`), places.get(`key ${digest}`)];
    if (namesake !== undefined) wrong.push(`has the name of ${namesake}`);
    if (key !== '' && twin !== undefined) wrong.push(`has the key of ${twin}`);
    places.set(`name ${name}`, place).set(`key ${digest}`, place);
    problems.push(...wrong.map((problem) => `${place} ${problem}`));
    const caller = { name, bulkOnly: attributes.includes('bulk'), weight: weightOf(attributes) ?? 1 };
    keys.push({ digest, caller });
  }
  return problems.length === 0 ? { ok: true, keys } : { ok: false, problems };
}

function wrongName(name: string): string[] {
  return namePattern.test(name) ? [] : ['has no name of 1 to 64 of A-Z a-z 0-9 . _ -'];
}

function wrongKey(key: string): string[] {
  if (key === '') return ['has no key'];
  if (key.length < shortestKey) return [`has a key of ${key.length} characters, fewer than ${shortestKey}`];
  return keyPattern.test(key) ? [] : ['has a key with other characters than A-Z a-z 0-9 . _ ~ + / - ='];
}

function wrongAttributes(attributes: readonly string[]): string[] {
  const isKnown = attributes.every((each) => each === 'bulk' || weightOf([each]) !== undefined);
  if (!isKnown) return [`has more than bulk and weight=N, N being 1 to ${largestWeight}`];
  const kinds = attributes.map((each) => each.split('=', 1)[0]);
  return new Set(kinds).size === kinds.length ? [] : ['says bulk or weight twice'];
}

function weightOf(attributes: readonly string[]): number | undefined {
  for (const attribute of attributes) {
    const weight = Number(/^weight=(\d{1,4})$/.exec(attribute)?.[1] ?? 0);
    if (weight >= 1 && weight <= largestWeight) return weight;
  }
  return undefined;
}
