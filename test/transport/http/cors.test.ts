import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { openStubApp } from './stub-server.ts';

const origin = 'https://app.example';
const preflight = {
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-api-key, content-type',
  },
};
const encode = { method: 'POST', body: 'image', headers: { origin } };

test('answers the preflight of a page that may use the API, without an API key', async () => {
  const { ask } = await openStubApp({
    corsOrigins: ['http://localhost:3000', origin],
    authenticate: () => assert.fail('a preflight carries no key'),
  });
  const { status, headers } = await ask('/v1/encode', preflight);
  assert.equal(status, 204);
  assert.equal(headers.get('access-control-allow-origin'), origin);
  assert.match(headers.get('access-control-allow-methods') ?? '', /\bPOST\b/);
  assert.match(headers.get('access-control-allow-headers') ?? '', /x-api-key/);
  assert.match(headers.get('vary') ?? '', /origin/i);
});

test('lets such a page read tokens and their headers, and refusals too', async () => {
  const { ask, encoder } = await openStubApp({ corsOrigins: [origin] });
  const answer = await ask('/v1/encode', encode);
  assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, origin]);
  const exposed = answer.headers.get('access-control-expose-headers') ?? '';
  for (const name of ['tokens-meta', 'tokens-cache', 'server-timing', 'x-request-id', 'etag', 'retry-after'])
    assert.ok(exposed.split(', ').includes(name), name);
  encoder.answer = () => {
    throw new ServiceError('overloaded', 'No room.');
  };
  const refused = await ask('/v1/encode', encode);
  assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [429, origin]);
  const locked = await openStubApp({
    corsOrigins: [origin],
    authenticate: () => {
      throw new ServiceError('unauthenticated', 'The API key is wrong.');
    },
  });
  const unknown = await locked.ask('/v1/encode', encode);
  assert.deepEqual([unknown.status, unknown.headers.get('access-control-allow-origin')], [401, origin]);
});

test('lets no other page read anything, and none at all unless origins are given', async () => {
  for (const corsOrigins of [['https://other.example'], undefined]) {
    const { ask } = await openStubApp({ corsOrigins });
    assert.equal((await ask('/v1/encode', encode)).headers.get('access-control-allow-origin'), null);
    assert.equal((await ask('/v1/encode', preflight)).headers.get('access-control-allow-origin'), null);
  }
});

test('answers OPTIONS with the methods of a path where no origins are given, without an API key', async () => {
  const { ask } = await openStubApp({ authenticate: () => assert.fail('a preflight carries no key') });
  const { status, headers } = await ask('/v1/encode', preflight);
  assert.deepEqual([status, headers.get('allow')], [204, 'GET, HEAD, POST, OPTIONS']);
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith('access-control-')),
    [],
  );
  assert.equal((await ask('/v1/nothing', preflight)).status, 404);
});

test('lets any page use the API where the origins are *', async () => {
  const { ask } = await openStubApp({ corsOrigins: ['*'] });
  assert.equal((await ask('/v1/encode', preflight)).headers.get('access-control-allow-origin'), '*');
  assert.equal((await ask('/v1/encode', encode)).headers.get('access-control-allow-origin'), '*');
});
