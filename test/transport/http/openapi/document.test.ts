import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, type EndpointHandler } from '../../../../src/transport/http/app.ts';
import { Exchange } from '../../../../src/transport/http/answer-writer.ts';
import { openApi } from '../../../../src/transport/http/openapi/document.ts';
import { problemKinds } from '../../../../src/transport/http/problem.ts';
import {
  allowedMethods,
  encodeEndpoints,
  type Endpoint,
  openEndpoints,
  routes,
} from '../../../../src/transport/http/routes.ts';
import { requestOptions } from '../../../../src/transport/request-options.ts';
import { termsKeys } from '../../../../src/transport/request-terms.ts';
import { letAnyoneIn } from '../../../../src/transport/security/authenticate.ts';
import { startStubServer } from '../stub-server.ts';

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; schema: { enum?: string[]; default?: string } }[];
  responses: Record<string, Record<string, unknown>>;
  security?: Record<string, unknown>[];
}
const description = JSON.parse(JSON.stringify(openApi())) as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, unknown> };
};
const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test('describes the routes that fastify has, each and no other', async () => {
  const endpoints = new Set<Endpoint>(routes.map(({ endpoint }) => endpoint));
  const handlers = Object.fromEntries(
    [...endpoints].map((name) => [name, () => undefined]),
  ) as unknown as Record<Endpoint, EndpointHandler>;
  const app = await createApp({
    routes,
    handlers,
    authenticate: letAnyoneIn,
    open: (request, response) =>
      new Exchange(request, response, {
        closing: () => false,
        writeIdleMs: 1000,
        readBytesPerSecond: 1000,
        lingerMs: 1000,
      }),
    onClientError: () => undefined,
    timeouts: { headersMs: 1000, requestMs: 1000, keepAliveMs: 1000 },
    maxHeaderBytes: 8192,
  });
  const registered = app.printRoutes({ commonPrefix: false, includeMeta: false });
  for (const { path, method } of operations) assert.ok(app.hasRoute({ url: path, method }), path);
  const count = [...registered.matchAll(/\(([A-Z, ]+)\)/g)].flatMap((match) => match[1]!.split(', '));
  assert.equal(count.filter((method) => method !== 'HEAD').length, operations.length);
  assert.equal(routes.length, operations.length);
  await app.close();
});

test('has a summary, an id of its own and an answer for each operation', () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { operation, path } of operations) {
    assert.ok(operation.summary.length > 5, path);
    assert.ok(operation.responses['200'], path);
    for (const answer of Object.values(operation.responses))
      assert.ok(answer['$ref'] ?? answer['description'], path);
  }
});

test('says which operations take a key, and what they answer without', () => {
  const keyed = operations.filter(({ operation }) => operation.security !== undefined);
  assert.deepEqual(
    keyed.map(({ method, path }) => `${method} ${path}`).sort(),
    routes
      .filter(({ endpoint }) => !openEndpoints.has(endpoint))
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  );
  for (const { operation } of operations)
    assert.equal('401' in operation.responses, operation.security !== undefined);
  const schemes = Object.keys(description.components.securitySchemes);
  for (const { operation } of keyed) assert.deepEqual(operation.security!.flatMap(Object.keys), schemes);
});

test('refers to nothing that is not there', () => {
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1]!,
  );
  assert.ok(references.length > 10);
  for (const reference of references) {
    let at: unknown = description;
    for (const key of reference.split('/')) at = (at as Record<string, unknown>)[key];
    assert.ok(at, reference);
  }
});

for (const [endpoint, recipe] of Object.entries(encodeEndpoints)) {
  const path = `/v1/${endpoint.replace('_', '-')}`;

  test(`lists each option of ${path}, and format`, () => {
    const parameters = description.paths[path]?.['post']?.parameters ?? [];
    const names = requestOptions[recipe].map(({ name }) => name);
    assert.deepEqual(
      parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      ['format', ...names],
    );
    assert.deepEqual(
      parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name),
      [...Object.values(termsKeys), 'x-request-id'],
    );
  });

  test(`gives every problem that ${path} names the status of the table`, () => {
    const responses = description.paths[path]?.['post']?.responses ?? {};
    assert.ok(Object.keys(responses).length > 10);
    for (const [status, { $ref: reference }] of Object.entries(responses)) {
      if (status === '200') continue;
      const code = String(reference).split('/').at(-1) as keyof typeof problemKinds;
      assert.equal(problemKinds[code].status, Number(status));
    }
  });
}

test('says of GET by digest that it answers one image, in a file, and takes If-None-Match', () => {
  const cached = description.paths['/v1/encode']?.['get'];
  const parameter = (wanted: string) => cached?.parameters?.find(({ name }) => name === wanted);
  assert.deepEqual(parameter('format')?.schema.enum, ['npy', 'raw', 'safetensors', 'json']);
  assert.equal(parameter('if-none-match')?.in, 'header');
  const { content } = cached!.responses['200']!;
  assert.equal(Object.keys(content as object).includes('application/jsonl'), false);
});

test('lists for a plan what it needs, and the options of all recipes once each', () => {
  const parameters = description.paths['/v1/plan']?.['get']?.parameters ?? [];
  const names = Object.values(requestOptions).flatMap((options) => options.map(({ name }) => name));
  assert.deepEqual(
    parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
    ['recipe', 'width', 'height', ...new Set(names)],
  );
});

test('serves the description, health, models, metrics and the page', async () => {
  const { url, encoder } = await startStubServer();
  assert.deepEqual(await (await fetch(`${url}/openapi.json`)).json(), description);
  assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { status: 'ok' });
  assert.equal((await fetch(`${url}/healthz`, { method: 'HEAD' })).status, 200);
  assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { status: 'ready' });
  encoder.isReady = false;
  const unready = await fetch(`${url}/readyz`);
  assert.deepEqual([unready.status, unready.headers.get('retry-after')], [503, '1']);
  const { models } = (await (await fetch(`${url}/v1/models`)).json()) as {
    models: Record<string, unknown>[];
  };
  assert.deepEqual([models[0]?.['name'], models[0]?.['default'], models[0]?.['tokens']], ['stub', true, 4]);
  assert.equal(JSON.stringify(models).includes('nowhere'), false);
  assert.match(
    await (await fetch(`${url}/metrics`)).text(),
    /^siglip_hd_inflight_requests\{transport="http"\} 1$/m,
  );
});

test('serves a page that can load nothing from elsewhere', async () => {
  const { url } = await startStubServer();
  const page = await fetch(`${url}/docs`);
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+';/);
  assert.doesNotMatch(await page.text(), /https?:\/\//);
});

test('says which methods a path has', () => {
  assert.equal(allowedMethods(routes, '/encode'), 'GET, HEAD, POST');
  assert.equal(allowedMethods(routes, '/healthz'), 'GET, HEAD');
  assert.equal(allowedMethods(routes, '/'), undefined);
});
