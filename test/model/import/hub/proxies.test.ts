import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readHubAccess } from '../../../../src/model/import/hub/access.ts';
import { fetchCheckpoint } from '../../../../src/model/import/hub/fetch-checkpoint.ts';
import { HubServer } from '../../../support/hub-server.ts';
import { type ProxyOptions, ProxyServer } from '../../../support/proxy-server.ts';
import { tlsFixture, tlsFixturePath } from '../../../support/tls-fixtures.ts';

const repository = 'google/siglip-tiny';
const weights = 'model.safetensors';
const host = 'hub.example.test';

/** A hub, a proxy to it, and fetches into empty caches by what the environment says. */
async function setUp(t: TestContext, options: ProxyOptions & { readonly tls?: boolean } = {}) {
  const { tls = false, ...proxied } = options;
  const identity = { key: tlsFixture('server.key'), cert: tlsFixture('server.pem') };
  const hub = await HubServer.open(t, repository, 'test/fixtures/siglip-tiny', tls ? { tls: identity } : {});
  const proxy = await ProxyServer.open(t, {
    hosts: { [host]: Number(new URL(hub.endpoint).port) },
    ...proxied,
  });
  const waits: number[] = [];
  const fetch = async (env: Record<string, string>, signal?: AbortSignal) => {
    const cacheFolder = await mkdtemp(join(tmpdir(), 'siglip-hd-proxy-'));
    t.after(() => rm(cacheFolder, { recursive: true }));
    const endpoint = tls ? hub.endpoint : `http://${host}`;
    const access = readHubAccess({ HF_ENDPOINT: endpoint, HF_HUB_CACHE: cacheFolder, ...env });
    const { folder } = await fetchCheckpoint(repository, {
      revision: 'main',
      access,
      wait: async (waitMs) => waits.push(waitMs),
      ...(signal === undefined ? {} : { signal }),
    });
    return readFileSync(join(folder, weights));
  };
  return { hub, proxy, fetch, waits };
}

test('a hub that only a proxy can reach is reached by HTTP_PROXY, with its CDN', async (t) => {
  const { hub, proxy, fetch } = await setUp(t);
  assert.deepEqual(await fetch({ HTTP_PROXY: `http://${proxy.address}` }), hub.file(weights));
  assert.ok(proxy.passed.some((line) => line.startsWith(`GET http://${host}/api/models/${repository}/`)));
  assert.ok(proxy.passed.some((line) => /^GET http:\/\/127\.0\.0\.1:\d+\/model\.safetensors$/.test(line)));
  assert.equal(proxy.passed.length, hub.requests.length, 'nothing went past it');
  for (const env of [{ http_proxy: proxy.address }, { ALL_PROXY: proxy.address }] as Record<
    string,
    string
  >[]) {
    assert.deepEqual(await fetch(env), hub.file(weights));
  }
});

test('a hub over TLS is reached by CONNECT, and its certificate is checked behind the proxy', async (t) => {
  const { hub, proxy, fetch } = await setUp(t, { tls: true });
  const HTTPS_PROXY = `http://${proxy.address}`;
  assert.deepEqual(await fetch({ HTTPS_PROXY, SSL_CERT_FILE: tlsFixturePath('ca.pem') }), hub.file(weights));
  const { port } = new URL(hub.endpoint);
  assert.ok(proxy.passed.includes(`CONNECT localhost:${port}`));
  assert.ok(proxy.passed.every((line) => line.startsWith('CONNECT localhost:')));
  await assert.rejects(fetch({ HTTPS_PROXY }), {
    message:
      /cannot be reached through the proxy .* NODE_EXTRA_CA_CERTS names the file of its certificate\.$/,
  });
});

test('NO_PROXY sends the hub, the CDN or both past the proxy', async (t) => {
  const { hub, proxy, fetch } = await setUp(t, { tls: true });
  const env = { HTTPS_PROXY: proxy.address, SSL_CERT_FILE: tlsFixturePath('ca.pem') };
  const { port } = new URL(hub.endpoint);
  await fetch({ ...env, NO_PROXY: `localhost:${port}` });
  assert.equal(proxy.passed.length, 1, 'the CDN');
  await fetch({ ...env, NO_PROXY: '*' });
  await fetch({ ...env, NO_PROXY: 'example.com, localhost' });
  assert.equal(proxy.passed.length, 1);
});

test("credentials come with the proxy's address, whatever characters they have", async (t) => {
  for (const tls of [false, true]) {
    const { hub, proxy, fetch } = await setUp(t, { tls, credentials: 'me:p@s/s%' });
    const ca = { SSL_CERT_FILE: tlsFixturePath('ca.pem') };
    const name = tls ? 'HTTPS_PROXY' : 'HTTP_PROXY';
    const right = { ...ca, [name]: `http://me:p%40s%2Fs%25@${proxy.address}` };
    assert.deepEqual(await fetch(right), hub.file(weights));
    for (const [user, message] of [
      ['', /^The proxy http:\S+ \(\w+_PROXY\) asks for credentials: set \w+_PROXY to http:\/\/USER/],
      [
        'me:secret@',
        /^The proxy http:\S+ \(\w+_PROXY\) does not accept the credentials given: set \w+_PROXY/,
      ],
    ] as const) {
      await assert.rejects(fetch({ ...ca, [name]: `http://${user}${proxy.address}` }), (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  }
});

test('a proxy that refuses is told from a hub that does, and what may pass is tried again', async (t) => {
  for (const [refuseWith, tries, message] of [
    [403, 0, /^The proxy .* \(HTTPS_PROXY\) does not connect to localhost: it answers with status 403\.$/],
    [503, 5, /: The proxy .* \(HTTPS_PROXY\) does not connect to localhost: it answers with status 503\.$/],
  ] as const) {
    const { hub, proxy, fetch, waits } = await setUp(t, { tls: true, refuseWith });
    const env = { HTTPS_PROXY: proxy.address, SSL_CERT_FILE: tlsFixturePath('ca.pem') };
    await assert.rejects(fetch(env), { code: 'invalid_argument', message });
    assert.equal(waits.length, tries);
    assert.deepEqual(hub.asked(), []);
  }
  // In the clear the proxy may have answered in the hub's place.
  for (const [refuseWith, tries] of [
    [401, 0],
    [403, 0],
    [502, 5],
  ] as const) {
    const { proxy, fetch, waits } = await setUp(t, { refuseWith });
    await assert.rejects(fetch({ HTTP_PROXY: proxy.address }), {
      message: new RegExp(
        `(?:^|: )hub\\.example\\.test or the proxy http:\\S+ \\(HTTP_PROXY\\) answered the request for google/siglip-tiny with status ${refuseWith}\\.$`,
      ),
    });
    assert.equal(waits.length, tries);
  }
});

test('a proxy that is not there is named, and a SOCKS proxy is refused before anything is sent', async (t) => {
  const { fetch, waits } = await setUp(t);
  await assert.rejects(fetch({ HTTP_PROXY: 'http://127.0.0.1:9' }), {
    message:
      /: hub\.example\.test cannot be reached through the proxy http:\/\/127\.0\.0\.1:9 \(HTTP_PROXY\): connection refused\.$/,
  });
  waits.length = 0;
  await assert.rejects(fetch({ ALL_PROXY: 'socks5://127.0.0.1:9' }), { message: /names a SOCKS proxy/ });
  assert.deepEqual(waits, []);
});

test('an import that is interrupted ends, although its proxy has gone quiet', async (t) => {
  const { hub, proxy, fetch } = await setUp(t);
  const controller = new AbortController();
  hub.faults.beforeBody = () => {
    controller.abort();
    return new Promise<never>(() => {});
  };
  await assert.rejects(fetch({ HTTP_PROXY: proxy.address }, controller.signal), { code: 'cancelled' });
});
