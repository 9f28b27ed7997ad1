import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenCache } from '../../../src/encoding/cache/token-cache.ts';

const size = { width: 1, height: 1 };
const tokens = (bytes: number) => ({ size, parts: [new Uint8Array(bytes / 2), new Uint8Array(bytes / 2)] });

test('keeps the tokens that were used last, within its limit, with an overhead per entry', () => {
  const cache = new TokenCache(10_000);
  for (const key of ['a', 'b', 'c']) cache.set(key, tokens(2_000));
  assert.equal(cache.sizeBytes, 9_072);
  cache.get('a');
  cache.set('d', tokens(2_000));
  assert.equal(cache.get('b'), undefined);
  assert.deepEqual(
    ['a', 'c', 'd'].map((key) => cache.get(key)?.parts.length),
    [2, 2, 2],
  );
  assert.ok(cache.sizeBytes <= 10_000);
});

test('does not keep tokens that are larger than its limit', () => {
  const cache = new TokenCache(2_000);
  cache.set('a', tokens(100));
  cache.set('b', tokens(4_000));
  assert.equal(cache.get('b'), undefined);
  assert.equal(cache.get('a')?.parts.length, 2);
});

test('keeps nothing with a limit of 0', () => {
  const cache = new TokenCache(0);
  cache.set('a', tokens(2));
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.sizeBytes, 0);
});
