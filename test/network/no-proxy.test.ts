import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isExcluded } from '../../src/network/no-proxy.ts';

const addresses = [
  'https://example.com/',
  'http://example.com/',
  'https://www.example.com/',
  'https://a.b.example.com:8443/',
  'https://badexample.com/',
  'http://localhost:4318/',
  'http://127.0.0.1:4318/',
  'https://10.1.2.3/',
  'http://10.1.2.3:8080/',
  'http://[::1]/',
  'https://[fd00::5]/',
];

function excludedBy(noProxy: string): string[] {
  return addresses.filter((address) => isExcluded(new URL(address), noProxy));
}

test('NO_PROXY excludes what Python 3 with httpx 0.28.1 excludes', () => {
  const named = addresses.slice(0, 4);
  for (const [noProxy, excluded] of [
    ['', []],
    ['*', addresses],
    ['a.test, *', addresses],
    ['example.com', named],
    ['Example.COM', named],
    [' a.test,example.com ', named],
    ['.example.com', named.slice(2)],
    ['ample.com', []],
    ['com', addresses.slice(0, 5)],
    ['www.example.com', ['https://www.example.com/']],
    ['example.com:8443', ['https://a.b.example.com:8443/']],
    ['https://example.com', ['https://example.com/']],
    ['http://example.com', ['http://example.com/']],
    ['all://example.com', named.slice(0, 2)],
    ['localhost', ['http://localhost:4318/']],
    ['127.0.0.1', ['http://127.0.0.1:4318/']],
    ['10.1.2.3', ['https://10.1.2.3/', 'http://10.1.2.3:8080/']],
    ['10.1.2.3:8080', ['http://10.1.2.3:8080/']],
    ['::1', ['http://[::1]/']],
  ] as const) {
    assert.deepEqual(excludedBy(noProxy), excluded, noProxy);
  }
});

test('NO_PROXY accepts ranges of addresses, as requests does, and spellings that httpx does not read', () => {
  for (const [noProxy, excluded] of [
    ['10.0.0.0/8', ['https://10.1.2.3/', 'http://10.1.2.3:8080/']],
    ['10.1.2.0/30', ['https://10.1.2.3/', 'http://10.1.2.3:8080/']],
    ['10.1.2.4/30', []],
    ['fd00::/8', ['https://[fd00::5]/']],
    ['[::1]', ['http://[::1]/']],
    ['[::1]:80', ['http://[::1]/']],
    ['*.example.com', addresses.slice(2, 4)],
    ['example.com:443', ['https://example.com/', 'https://www.example.com/']],
    ['localhost 127.0.0.1', ['http://localhost:4318/', 'http://127.0.0.1:4318/']],
    // Not a range, and not a name: nothing.
    ['10.0.0.0/33', []],
    ['10.0.0.0/', []],
    ['.', []],
  ] as const) {
    assert.deepEqual(excludedBy(noProxy), excluded, noProxy);
  }
});
