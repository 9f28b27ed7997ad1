import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../../../src/transport/http/openapi/document.ts';
import { problemKinds } from '../../../../src/transport/http/problem.ts';
import {
  allowedMethods,
  encodeEndpoints,
  openEndpoints,
  routes,
} from '../../../../src/transport/http/routes.ts';
import { requestOptions } from '../../../../src/transport/request-options.ts';
import { tokenFormats } from '../../../../src/tokens/formats/format.ts';
import { termsKeys } from '../../../../src/transport/request-terms.ts';
import { openStubApp } from '../stub-server.ts';

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; schema: { enum?: string[]; default?: string } }[];
  responses: Record<string, Record<string, unknown>>;
  security?: Record<string, unknown>[];
}
const description = JSON.parse(JSON.stringify(openApi('1.2.3'))) as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, unknown> };
};
const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test('describes the routes that the service has, each and no other but those of its page', async () => {
  const { app } = await openStubApp();
  const registered = app.printRoutes({ commonPrefix: false, includeMeta: false });
  for (const { path, method } of operations) {
    assert.ok(app.hasRoute({ url: path.replace(/\{(\w+)\}/g, ':$1'), method }), path);
  }
  const methods = registered
    .split('\n')
    .filter((line) => !/ (?:\/ |\/docs\/|.*\.(?:js|css|png) )/.test(line))
    .flatMap((line) => /\(([A-Z, ]+)\)/.exec(line)?.[1]?.split(', ') ?? []);
  assert.equal(methods.filter((method) => method !== 'HEAD').length, operations.length, registered);
  assert.equal(routes.length, operations.length);
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
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
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
  assert.deepEqual(parameter('format')?.schema.enum, tokenFormats);
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

test('serves the description, health, models and metrics', async () => {
  const { app, encoder } = await openStubApp({ version: '1.2.3' });
  const get = async (url: string) => await app.inject({ url });
  assert.deepEqual((await get('/openapi.json')).json(), description);
  assert.deepEqual((await get('/healthz')).json(), { status: 'ok' });
  assert.equal((await app.inject({ url: '/healthz', method: 'HEAD' })).statusCode, 200);
  assert.deepEqual((await get('/readyz')).json(), { status: 'ready', engines: { up: 1, total: 1 } });
  encoder.isReady = false;
  const unready = await get('/readyz');
  assert.deepEqual([unready.statusCode, unready.headers['retry-after']], [503, '1']);
  const reasonFor = async (up: number, total: number) => {
    encoder.engines = () => ({ up, total });
    return (await get('/readyz')).json<{ detail: string }>().detail;
  };
  assert.equal(await reasonFor(0, 0), 'The service is not ready: its models are loading.');
  assert.equal(await reasonFor(1, 1), 'The service is not ready: it is about to stop.');
  assert.match(await reasonFor(1, 2), /no engine of a model works\.$/);
  const { models } = (await get('/v1/models')).json<{ models: Record<string, unknown>[] }>();
  assert.deepEqual([models[0]?.['name'], models[0]?.['default'], models[0]?.['tokens']], ['stub', true, 4]);
  assert.equal(JSON.stringify(models).includes('nowhere'), false);
  assert.match((await get('/metrics')).body, /^siglip_hd_inflight_requests\{transport="http"\} 1$/m);
});

test('says which methods a path has', () => {
  assert.equal(allowedMethods(routes, '/encode'), 'GET, HEAD, POST');
  assert.equal(allowedMethods(routes, '/healthz'), 'GET, HEAD');
  assert.equal(allowedMethods(routes, '/'), 'GET, HEAD');
  assert.equal(allowedMethods(routes, '/nowhere'), undefined);
});
