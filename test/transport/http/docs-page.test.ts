import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStubApp } from './stub-server.ts';

const { ask } = await openStubApp();

test('serves a page that loads nothing from elsewhere, and may not', async () => {
  const answer = await ask('/docs');
  assert.equal(answer.status, 200);
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  const page = await answer.text();
  assert.doesNotMatch(page, /https?:|\/\//);
  for (const [, content = ''] of page.matchAll(/<script[^>]*>([^<]*)<\/script>/g)) assert.equal(content, '');
});

test('serves everything that the page loads, by addresses that hold below any path prefix', async () => {
  const page = await (await ask('/docs')).text();
  const start = await (await ask('/docs/start.js')).text();
  const addresses = [...`${page}${start}`.matchAll(/(?:src=|href=|url: )["']([^"']+)["']/g)].map(
    ([, one]) => one!,
  );
  assert.equal(addresses.length, 5);
  for (const address of addresses) {
    const { pathname } = new URL(address, 'http://host/some/prefix/docs');
    assert.ok(pathname.startsWith('/some/prefix/'), address);
    const answer = await ask(pathname.slice('/some/prefix'.length));
    assert.equal(answer.status, 200, address);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.ok((await answer.arrayBuffer()).byteLength > 0, address);
  }
  const { servers } = (await (await ask('/openapi.json')).json()) as { servers: { url: string }[] };
  assert.equal(new URL(servers[0]!.url, 'http://host/some/prefix/openapi.json').pathname, '/some/prefix/');
});

test('leads to the page from its address with a slash, below any path prefix', async () => {
  const answer = await ask('/docs/');
  assert.equal(answer.status, 302);
  const target = new URL(answer.headers.get('location') ?? '', 'http://host/some/prefix/docs/');
  assert.equal(target.pathname, '/some/prefix/docs');
});

test('asks for no API key where the API is described', async () => {
  const locked = await openStubApp({
    authenticate: () => assert.fail('nobody is asked'),
  });
  for (const path of ['/', '/docs', '/docs/start.js', '/docs/swagger-ui.css', '/openapi.json']) {
    assert.ok((await locked.ask(path)).status < 400, path);
  }
});
