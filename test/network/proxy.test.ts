import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeProxy, findGrpcProxy, findProxy, proxyRefusal } from '../../src/network/proxy.ts';

type Env = Record<string, string>;

const proxyTo = (address: string, env: Env) => findProxy(new URL(address), env)?.url.href;

test("the scheme's own variable comes before ALL_PROXY, and lower case before upper case", () => {
  const secure = 'https://hub.test/';
  const cases: [string, Env, string | undefined][] = [
    [secure, {}, undefined],
    [secure, { HTTPS_PROXY: 'http://a:1' }, 'http://a:1/'],
    [secure, { HTTP_PROXY: 'http://a:1' }, undefined],
    ['http://hub.test/', { HTTP_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, 'http://a:1/'],
    ['http://hub.test/', { HTTPS_PROXY: 'http://b:2' }, undefined],
    [secure, { ALL_PROXY: 'http://a:1' }, 'http://a:1/'],
    ['http://hub.test/', { all_proxy: 'http://a:1' }, 'http://a:1/'],
    [secure, { ALL_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, 'http://b:2/'],
    [secure, { https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, 'http://a:1/'],
    // As in Python, an empty lower-case variable switches the other one off.
    [secure, { https_proxy: '', HTTPS_PROXY: 'http://b:2' }, undefined],
    [secure, { https_proxy: '', ALL_PROXY: 'http://c:3' }, 'http://c:3/'],
    [secure, { HTTPS_PROXY: 'http://a:1', NO_PROXY: 'hub.test' }, undefined],
    [secure, { HTTPS_PROXY: 'http://a:1', no_proxy: '.test' }, undefined],
    [secure, { HTTPS_PROXY: 'http://a:1', no_proxy: 'other', NO_PROXY: '*' }, 'http://a:1/'],
  ];
  for (const [address, env, proxy] of cases) assert.equal(proxyTo(address, env), proxy, JSON.stringify(env));
});

test('a proxy may come without a scheme, with credentials, over TLS and by IPv6', () => {
  for (const [value, href] of [
    ['proxy.test:3128', 'http://proxy.test:3128/'],
    ['user:p%40ss@proxy.test:3128', 'http://user:p%40ss@proxy.test:3128/'],
    ['user:50%@proxy.test:3128', 'http://user:50%25@proxy.test:3128/'],
    ['https://proxy.test', 'https://proxy.test/'],
    ['http://[::1]:3128', 'http://[::1]:3128/'],
    [' http://proxy.test:3128/ ', 'http://proxy.test:3128/'],
  ] as const) {
    assert.equal(proxyTo('https://hub.test/', { HTTPS_PROXY: value }), href, value);
  }
});

test('refuses a SOCKS proxy and an invalid address, and does not repeat the value', () => {
  for (const [value, message] of [
    [
      'socks5h://user:secret@proxy.test:1080',
      'ALL_PROXY names a SOCKS proxy, and only HTTP proxies are supported: give one as http://HOST:PORT, or list the host in NO_PROXY.',
    ],
    [
      'http://:secret',
      'ALL_PROXY is not the address of a proxy: give one as http://HOST:PORT, or list the host in NO_PROXY.',
    ],
  ] as const) {
    assert.throws(() => proxyTo('https://hub.test/', { ALL_PROXY: value }), {
      code: 'invalid_argument',
      message,
    });
  }
  const unused = { ALL_PROXY: 'socks5://proxy.test:1080', HTTPS_PROXY: 'http://a:1' };
  assert.equal(proxyTo('https://hub.test/', unused), 'http://a:1/', 'one that is not used is not looked at');
  assert.equal(proxyTo('https://hub.test/', { ALL_PROXY: 'socks5://a:1', NO_PROXY: 'hub.test' }), undefined);
});

test('gRPC reads its own variables first, then those of both schemes', () => {
  const target = new URL('http://collector.test:4317');
  for (const [env, proxy] of [
    [{ https_proxy: 'http://a:1', http_proxy: 'http://b:2' }, 'http://a:1/'],
    [{ HTTP_PROXY: 'http://b:2' }, 'http://b:2/'],
    [{ grpc_proxy: 'http://c:3', https_proxy: 'http://a:1' }, 'http://c:3/'],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: '.test' }, undefined],
    [{ HTTPS_PROXY: 'http://a:1', no_grpc_proxy: 'collector.test' }, undefined],
    [{ HTTPS_PROXY: 'http://a:1', no_grpc_proxy: 'other', NO_PROXY: '.test' }, 'http://a:1/'],
  ] as const) {
    assert.equal(findGrpcProxy(target, env)?.url.href, proxy, JSON.stringify(env));
  }
});

test('messages name the proxy and its variable, and no credentials', () => {
  const proxy = findProxy(new URL('http://hub.test'), { http_proxy: 'http://user:secret@proxy.test:3128' })!;
  assert.equal(describeProxy(proxy), 'the proxy http://proxy.test:3128 (http_proxy)');
  const refusals = [407, 401, 403, 503].map((status) => proxyRefusal(proxy, 'hub.test', status));
  assert.equal(refusals.splice(1, 1)[0]?.message, refusals[0]?.message);
  assert.deepEqual(
    refusals.map(({ code, message }) => [code, message]),
    [
      [
        'invalid_argument',
        'The proxy http://proxy.test:3128 (http_proxy) does not accept the credentials given: set http_proxy to http://USER:PASSWORD@HOST:PORT.',
      ],
      [
        'invalid_argument',
        'The proxy http://proxy.test:3128 (http_proxy) does not connect to hub.test: it answers with status 403.',
      ],
      [
        'unavailable',
        'The proxy http://proxy.test:3128 (http_proxy) does not connect to hub.test: it answers with status 503.',
      ],
    ],
  );
});
