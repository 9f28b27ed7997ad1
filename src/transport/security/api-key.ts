import { createHash } from 'node:crypto';
import type { Caller } from '../../admission/caller.ts';

/** An API key's digest and its caller. The key itself is not kept. */
export interface ApiKey {
  /** SHA-256 of the key, in hex. */
  readonly digest: string;
  readonly caller: Caller & { readonly name: string };
}

/** Keys, or the problems of their text: phrases such as "line 3 has no key", which never quote the text. */
export type KeysReading =
  | { readonly ok: true; readonly keys: readonly ApiKey[] }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Entry {
  /** "line 3" of a file, "entry 3" of a list. */
  readonly place: string;
  readonly fields: readonly string[];
}

/** RFC 6750's bearer token. It contains no space and none of our separators. */
const keyPattern = /^[A-Za-z0-9._~+/-]+=*$/;
const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
const shortestKey = 16;
const largestWeight = 1000;
/** Every name becomes a label of metrics. */
const mostKeys = 1000;

/** SHA-256 of a key, in hex. */
export function keyDigest(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/**
 * Reads a file of keys: one `NAME KEY [bulk] [weight=N]` per line, separated by spaces or tabs. Empty lines and lines
 * that start with # are ignored.
 */
export function readKeysFile(text: string): KeysReading {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const entries = lines.map((line, index) => ({
    place: `line ${index + 1}`,
    fields: line.split(/[ \t]+/).filter((field) => field !== ''),
  }));
  const given = entries.filter(({ fields: [first] }) => first !== undefined && !first.startsWith('#'));
  return readEntries(given, 'NAME KEY');
}

/** Reads a list of keys: `NAME:KEY[:bulk][:weight=N]`, separated by commas. */
export function readKeyList(text: string): KeysReading {
  const entries = text.split(',').map((entry, index) => ({
    place: `entry ${index + 1}`,
    fields: entry.split(':').map((field) => field.trim()),
  }));
  return readEntries(entries, 'NAME:KEY');
}

/** `form` is how an entry is written. */
function readEntries(entries: readonly Entry[], form: 'NAME KEY' | 'NAME:KEY'): KeysReading {
  if (entries.length === 0) return { ok: false, problems: [`there are no keys: write ${form}`] };
  if (entries.length > mostKeys) {
    return { ok: false, problems: [`there are ${entries.length} keys, more than ${mostKeys}`] };
  }
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  const places = new Map<string, string>();
  for (const { place, fields } of entries) {
    const [name = '', key = '', ...attributes] = fields;
    const digest = keyDigest(key);
    const wrong = [...wrongName(name), ...wrongKey(key, form), ...wrongAttributes(attributes)];
    const [namesake, twin] = [places.get(`name ${name}`), places.get(`key ${digest}`)];
    if (namesake !== undefined) wrong.push(`repeats the name of ${namesake}`);
    if (key !== '' && twin !== undefined) wrong.push(`repeats the key of ${twin}`);
    places.set(`name ${name}`, place).set(`key ${digest}`, place);
    problems.push(...wrong.map((problem) => `${place} ${problem}`));
    const caller = { name, bulkOnly: attributes.includes('bulk'), weight: weightOf(attributes) ?? 1 };
    keys.push({ digest, caller });
  }
  return problems.length === 0 ? { ok: true, keys } : { ok: false, problems };
}

function wrongName(name: string): string[] {
  return namePattern.test(name) ? [] : ['needs a name of 1 to 64 characters from A-Z a-z 0-9 . _ -'];
}

function wrongKey(key: string, form: string): string[] {
  if (key === '') return [`has no key: write ${form}`];
  if (key.length < shortestKey) return [`has a key of ${key.length} characters, fewer than ${shortestKey}`];
  return keyPattern.test(key) ? [] : ['has a key with characters other than A-Z a-z 0-9 . _ ~ + / - ='];
}

function wrongAttributes(attributes: readonly string[]): string[] {
  const isKnown = attributes.every((each) => each === 'bulk' || weightOf([each]) !== undefined);
  if (!isKnown) return [`has an attribute other than bulk and weight=N, where N is 1 to ${largestWeight}`];
  const kinds = attributes.map((each) => each.split('=', 1)[0]);
  return new Set(kinds).size === kinds.length ? [] : ['repeats bulk or weight'];
}

function weightOf(attributes: readonly string[]): number | undefined {
  for (const attribute of attributes) {
    const weight = Number(/^weight=(\d{1,4})$/.exec(attribute)?.[1] ?? 0);
    if (weight >= 1 && weight <= largestWeight) return weight;
  }
  return undefined;
}
