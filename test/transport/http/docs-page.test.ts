// The script of /docs, run on a document that has only what it uses. Looks are for people to judge, in a browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { docsScript } from '../../../src/transport/http/docs-script.ts';
import { startStubServer } from './stub-server.ts';

class FakeElement {
  textContent = '';
  hidden = true;
  value = '';
  name = '';
  readonly classes = new Set<string>();
  children: (FakeElement | string)[] = [];
  readonly classList = {
    add: (name: string) => this.classes.add(name),
    remove: (name: string) => this.classes.delete(name),
    toggle: (name: string) => this.classes.add(name),
  };
  addEventListener(): void {}
  append(...more: (FakeElement | string)[]): void {
    this.children.push(...more);
  }
  replaceChildren(...children: (FakeElement | string)[]): void {
    this.children = children;
  }
  get text(): string {
    return [this.textContent, ...this.children.map((one) => (typeof one === 'string' ? one : one.text))].join(
      ' ',
    );
  }
}

test('the page of the API shows every endpoint and every error', async () => {
  const { url } = await startStubServer();
  const elements = new Map<string, FakeElement>();
  const byId = (id: string) => {
    const known = elements.get(id) ?? new FakeElement();
    elements.set(id, known);
    return known;
  };
  const pending: Promise<unknown>[] = [];
  const follow = <T>(promise: Promise<T>): Promise<T> => {
    pending.push(promise);
    return promise;
  };
  const context = createContext({
    document: {
      getElementById: byId,
      createElement: (tag: string) =>
        Object.assign(new FakeElement(), tag === 'select' ? { value: '/v1/encode' } : {}),
      querySelector: () => Object.assign(new FakeElement(), { value: '/v1/encode' }),
      querySelectorAll: () => [],
    },
    location: { origin: url },
    URL,
    URLSearchParams,
    fetch: (path: string, init?: RequestInit) => follow(fetch(url + path, init)),
  });
  runInContext(docsScript, context);
  while (byId('ready').textContent === '' || byId('problems').children.length === 0) {
    assert.ok(!byId('ready').classes.has('bad'), byId('ready').textContent);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  assert.equal(byId('ready').textContent, 'ready');
  const api = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
  const operations = Object.values(api.paths).flatMap((methods) => Object.keys(methods));
  assert.equal(byId('operations').children.length, operations.length);
  assert.match(byId('problems').text, /too_large +413/);
  assert.match(byId('models').text, /stub/);
});
