import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone } from '../../../src/admission/caller.ts';
import { readKeysFile } from '../../../src/transport/security/api-key.ts';
import { type Credentials, KeyRing, allowAnonymous } from '../../../src/transport/security/authenticate.ts';

function keysOf(text: string) {
  const reading = readKeysFile(text);
  assert.ok(reading.ok);
  return reading.keys;
}

const [first, last] = ['first-0123456789abc', 'last-0123456789abcd'];
const keys = keysOf(`first ${first}\nmiddle middle-0123456789ab\nlast ${last} bulk weight=3`);

/** The name of the caller that these credentials belong to, or the code of the refusal. */
function outcome(ring: KeyRing, credentials: Partial<Credentials>): string | undefined {
  try {
    return ring.authenticate({ authorization: undefined, 'x-api-key': undefined, ...credentials }).name;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('recognises each caller by its key, with its priority and its weight', () => {
  const ring = new KeyRing(keys);
  const caller = ring.authenticate({ authorization: `Bearer ${last}`, 'x-api-key': undefined });
  assert.deepEqual(caller, { name: 'last', bulkOnly: true, weight: 3 });
});

for (const [what, credentials, expected] of [
  ['a bearer token', { authorization: `Bearer ${first}` }, 'first'],
  ['any spelling of Bearer', { authorization: `bearer  ${first} ` }, 'first'],
  ['x-api-key', { 'x-api-key': last }, 'last'],
  [
    'x-api-key beside the token of a proxy',
    { authorization: 'Bearer of.a.proxy', 'x-api-key': last },
    'last',
  ],
  ['x-api-key beside another scheme', { authorization: 'Basic YTpi', 'x-api-key': last }, 'last'],
  ['nothing', {}, 'unauthenticated'],
  ['an empty key', { 'x-api-key': '' }, 'unauthenticated'],
  ['an empty token', { authorization: 'Bearer ' }, 'unauthenticated'],
  ['another scheme', { authorization: `Basic ${first}` }, 'unauthenticated'],
  ['a key without a scheme', { authorization: first }, 'unauthenticated'],
  ['a truncated key', { 'x-api-key': first.slice(0, -1) }, 'unauthenticated'],
  ['a key with a suffix', { 'x-api-key': `${first}x` }, 'unauthenticated'],
  ['a key in another case', { 'x-api-key': first.toUpperCase() }, 'unauthenticated'],
  ['a key sent twice', { 'x-api-key': `${first}, ${first}` }, 'unauthenticated'],
  ['two keys', { authorization: `Bearer ${first} ${last}` }, 'unauthenticated'],
  ['a name', { 'x-api-key': 'first' }, 'unauthenticated'],
  ["a key's digest", { 'x-api-key': keys[0]!.digest }, 'unauthenticated'],
] as const) {
  test(`answers ${what} with ${expected}`, () => {
    assert.equal(outcome(new KeyRing(keys), credentials), expected);
  });
}

test('accepts only the new keys once they are replaced', () => {
  const ring = new KeyRing(keys);
  ring.replace(keysOf(`first ${first}-again`));
  assert.equal(outcome(ring, { 'x-api-key': `${first}-again` }), 'first');
  for (const key of [first, last]) assert.equal(outcome(ring, { 'x-api-key': key }), 'unauthenticated');
});

test('accepts nobody without keys, unless it allows anonymous callers', () => {
  assert.equal(outcome(new KeyRing(), { 'x-api-key': first }), 'unauthenticated');
  assert.equal(allowAnonymous({ authorization: undefined, 'x-api-key': undefined }), anyone);
});
