import assert from 'node:assert/strict';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import type { answerPlayground } from '../../../src/transport/http/playground.ts';
import { mainEndpoints } from '../../../src/transport/http/routes.ts';
import { openStubApp } from './stub-server.ts';

const { ask } = await openStubApp();

/** Addresses that the page loads. */
async function addresses(): Promise<string[]> {
  const page = await (await ask('/')).text();
  return [...page.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, address]) => address!)
    .filter((one) => one !== 'docs');
}

test('serves a page that may load nothing from elsewhere, and does not', async () => {
  const answer = await ask('/');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|https?:|data:|blob:|\*/);
  const page = await answer.text();
  assert.doesNotMatch(page, /https?:|\/\//);
  assert.doesNotMatch(page, /<script[^>]*>[^<]/);
  assert.equal((await ask('/', { method: 'HEAD' })).status, 200);
});

test('serves what the page loads below any path prefix, to keep for ever, while the page itself is asked for anew', async () => {
  assert.equal((await ask('/')).headers.get('cache-control'), 'no-cache');
  const found = await addresses();
  assert.ok(found.length >= 3, found.join(' '));
  for (const address of found) {
    const { pathname } = new URL(address, 'http://host/some/prefix/');
    assert.match(pathname, /^\/some\/prefix\/playground\/[\w-]+-[\w-]{8}\.\w+$/);
    const path = pathname.slice('/some/prefix'.length);
    const answer = await ask(path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const head = await ask(path, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String((await answer.arrayBuffer()).byteLength));
  }
});

test('serves no other file', async () => {
  for (const name of [
    'none.js',
    'none',
    '..%2Findex.html',
    '..%2F..%2F..%2Fpackage.js',
    '.js',
    'index.html',
  ]) {
    const answer = await ask(`/playground/${name}`);
    assert.equal(answer.status, 404, name);
    assert.equal(((await answer.json()) as { code: string }).code, 'not_found');
  }
});

test('asks for no API key', async () => {
  const locked = await openStubApp({ authenticate: () => assert.fail('nobody is asked') });
  for (const path of ['/', ...(await addresses()).map((address) => address.replace(/^\./, ''))]) {
    assert.equal((await locked.ask(path)).status, 200, path);
  }
});

test('leads to /docs, and serves no file of the page, where the playground is off', async () => {
  const off = await openStubApp({ endpoints: mainEndpoints({ metrics: false, playground: true }) });
  const answer = await off.ask('/');
  assert.deepEqual([answer.status, answer.headers.get('location')], [302, 'docs']);
  for (const address of await addresses())
    assert.equal((await off.ask(address.replace(/^\./, ''))).status, 404);
  assert.equal((await off.ask('/v1/models')).status, 200);
});

test('reads and fills the page once, when somebody opens it, and fails if there is no place for the port', async (t) => {
  const read: string[] = [];
  const names = () => read.filter((path) => path.includes('/web/')).map((path) => path.replace(/.*\//, ''));
  const { readFile } = files;
  let renamed = false;
  const spied = async (...args: Parameters<typeof readFile>) => {
    if (args[0] instanceof URL) read.push(args[0].pathname);
    const bytes = await readFile(...args);
    return renamed ? Buffer.from(bytes.toString().replace('grpc-port', 'port-of-grpc')) : bytes;
  };
  files.readFile = spied as typeof readFile;
  syncBuiltinESMExports();
  t.after(() => {
    files.readFile = readFile;
    syncBuiltinESMExports();
  });
  const freshly = async (query: string, port: () => number | undefined) => {
    const module = new URL(`../../../src/transport/http/playground.js?${query}`, import.meta.url).href;
    const fresh = (await import(module)) as { readonly answerPlayground: typeof answerPlayground };
    return fresh.answerPlayground(port);
  };
  let port: number | undefined;
  const answer = await freshly('fresh', () => port);
  assert.deepEqual(names(), []);
  const sent: unknown[] = [];
  const reply = { type: () => reply, header: () => reply, send: (body: unknown) => sent.push(body) };
  for (port of [undefined, 50_052, 50_052]) await answer({}, reply as never);
  assert.deepEqual(names(), ['index.html']);
  assert.match(String(sent[0]), /<meta name="grpc-port" content="" ?\/?>/);
  assert.match(String(sent[1]), /<meta name="grpc-port" content="50052" ?\/?>/);
  assert.equal(sent[2], sent[1], 'it is filled once');
  const unfillable = await freshly('renamed', () => 50_052);
  renamed = true;
  await assert.rejects(unfillable({}, reply as never), /has no "grpc-port"/);
});
