// API keys over both transports.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import { anyone } from '../../src/admission/caller.ts';
import { openEndpoints, routes } from '../../src/transport/http/routes.ts';
import { rawExchange } from '../transport/http/stub-server.ts';
import { type EncodeResponse, nextMessage, statusDetails } from '../support/grpc-client.ts';
import { StreamCaller } from '../support/stream-caller.ts';
import { scratchFolder } from '../support/tiny-models.ts';
import { otherServices, serveBoth, service } from './both-transports.ts';

const adasKey = 'ada-0123456789abcdef';
const jobsKey = 'job-0123456789abcdef';
const wrongKey = 'eve-0123456789abcdef';
const file = { image: { file: Buffer.from('an image') } };

async function serveWithKeys(t: TestContext) {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const path = join(scratch.path, 'keys');
  const write = (text: string): void => writeFileSync(path, text);
  write(`ada ${adasKey}\nnightly-job ${jobsKey} bulk weight=7\n`);
  return { ...(await serveBoth(t, { apiKeysFile: path })), write };
}

type Headers = Readonly<Record<string, string>>;

for (const [what, headers, says] of [
  ['no key', {}, /key is required/],
  ['a wrong key', { authorization: `Bearer ${wrongKey}` }, /key is not valid/],
  ['a wrong x-api-key', { 'x-api-key': wrongKey }, /key is not valid/],
  ['a name for a key', { 'x-api-key': 'ada' }, /key is not valid/],
  ['another scheme', { authorization: `Basic ${adasKey}` }, /key is required/],
] as const satisfies readonly (readonly [string, Headers, RegExp])[]) {
  test(`HTTP and gRPC refuse ${what} alike, for every call that needs a key`, async (t) => {
    const { client, url, encoder, lines } = await serveWithKeys(t);
    const caller = client();
    for (const { method, path, endpoint } of routes.filter((route) => !openEndpoints.has(route.endpoint))) {
      const answer = await fetch(`${url}${path}`, { method, headers });
      const { code, detail } = (await answer.json()) as { code: string; detail: string };
      assert.deepEqual([answer.status, code], [401, 'unauthenticated'], path);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
      assert.match(detail, says);
      const { transport, endpoint: logged, code: outcome } = lines.at(-1)!.fields;
      assert.deepEqual([transport, logged, outcome], ['http', endpoint, 'unauthenticated']);
    }
    for (const method of ['Encode', 'TeacherEncode', 'AnyResEncode', 'Plan', 'ListModels']) {
      const { error, trailers } = await caller.call(method, file, { metadata: headers });
      assert.equal(error?.code, status.UNAUTHENTICATED, method);
      assert.equal(statusDetails(trailers).errorInfo?.reason, 'unauthenticated');
      assert.match(error.details, says);
      assert.ok(trailers.get('x-request-id')[0]);
    }
    const stream = new StreamCaller(caller, { metadata: headers });
    assert.equal((await stream.status).code, status.UNAUTHENTICATED);
    const { transport, endpoint, code } = lines.at(-1)!.fields;
    assert.deepEqual([transport, endpoint, code], ['grpc', 'stream_encode', 'unauthenticated']);
    assert.equal(encoder.requests.length, 0);
    assert.ok(!JSON.stringify(lines).includes(wrongKey));
  });
}

for (const [what, headers, name] of [
  ['a bearer token', { authorization: `Bearer ${adasKey}` }, 'ada'],
  ['x-api-key', { 'x-api-key': jobsKey }, 'nightly-job'],
  ['x-api-key beside a token of another', { authorization: 'Bearer x.y.z', 'x-api-key': adasKey }, 'ada'],
] as const) {
  test(`HTTP and gRPC accept ${what} and know its caller`, async (t) => {
    const { client, url, encoder, lines, metrics } = await serveWithKeys(t);
    for (const format of ['npy', 'jsonl']) {
      const encode = { method: 'POST', headers, body: 'an image' };
      assert.equal((await fetch(`${url}/v1/encode?format=${format}`, encode)).status, 200);
    }
    const list = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' } };
    const images = JSON.stringify({ images: ['AAAA'] });
    const several = await fetch(`${url}/v1/encode?format=safetensors`, { ...list, body: images });
    assert.equal(several.status, 200);
    assert.equal((await fetch(`${url}/v1/models`, { headers })).status, 200);
    const caller = client();
    for (const method of ['Encode', 'TeacherEncode', 'AnyResEncode', 'ListModels']) {
      assert.ok((await caller.call<EncodeResponse>(method, file, { metadata: headers })).response, method);
    }
    const stream = new StreamCaller(caller, { metadata: headers });
    stream.send('one', { encode: file });
    await stream.answer('one');
    const isJob = name === 'nightly-job';
    const expected = { name, bulkOnly: isJob, weight: isJob ? 7 : 1 };
    assert.equal(encoder.requests.length, 7);
    for (const { terms } of encoder.requests) {
      assert.deepEqual(terms?.caller, expected);
      assert.equal(terms.priority, isJob ? 'bulk' : 'interactive');
    }
    for (const { fields } of lines) assert.equal(fields['caller'], name);
    const exposed = (await metrics.expose()).text;
    for (const labels of ['transport="http",endpoint="encode"', 'transport="grpc",endpoint="stream_encode"'])
      assert.ok(exposed.includes(`siglip_hd_requests_total{${labels},code="ok",caller="${name}"}`), exposed);
    for (const secret of [adasKey, jobsKey])
      assert.ok(!JSON.stringify([lines, exposed]).includes(secret), 'a key was revealed');
  });
}

test('probes, scrapers and the description of the API need no key', async (t) => {
  const { client, url } = await serveWithKeys(t);
  for (const endpoint of openEndpoints) {
    const { path } = routes.find((route) => route.endpoint === endpoint)!;
    assert.equal((await fetch(`${url}${path}`)).status, 200, path);
  }
  const health = await client(...otherServices.health).call<{ status: string }>('Check', { service });
  assert.equal(health.response?.status, 'SERVING');
  const reflection = client(...otherServices.reflection).duplex('ServerReflectionInfo');
  reflection.write({ listServices: '' });
  assert.ok(await nextMessage(reflection));
  reflection.end();
  await once(reflection, 'end');
});

test('refuses a request without a key before it reads the body', async (t) => {
  const { http, grpc } = await serveWithKeys(t);
  const text = await rawExchange(
    http.port,
    'POST /encode HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
  );
  assert.match(text, /^HTTP\/1\.1 401 [^]*\r\nwww-authenticate: Bearer\r\n/);
  const session = connectHttp2(`http://127.0.0.1:${grpc.port}`);
  t.after(() => session.destroy());
  for (const method of ['Encode', 'StreamEncode']) {
    const stream = session.request(
      { ':method': 'POST', ':path': `/${service}/${method}`, 'content-type': 'application/grpc' },
      { endStream: false },
    );
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    assert.equal(headers['grpc-status'], String(status.UNAUTHENTICATED));
    stream.destroy();
  }
});

test('accepts only the new keys once the file changes, even within a stream', async (t) => {
  const { client, url, write, look, lines } = await serveWithKeys(t);
  const caller = client();
  const metadata = { 'x-api-key': adasKey };
  const stream = new StreamCaller(caller, { metadata });
  stream.send('before', { encode: file });
  await stream.answer('before');

  write(`ada ${adasKey}-2`);
  await look(2);
  stream.send('after', { encode: file });
  assert.equal((await stream.status).code, status.UNAUTHENTICATED);
  assert.equal((await caller.call('Encode', file, { metadata })).error?.code, status.UNAUTHENTICATED);
  assert.equal((await fetch(`${url}/v1/models`, { headers: metadata })).status, 401);
  const anew = { 'x-api-key': `${adasKey}-2` };
  assert.equal((await caller.call('Encode', file, { metadata: anew })).error, undefined);
  assert.equal((await fetch(`${url}/v1/models`, { headers: anew })).status, 200);

  write(`ada ${adasKey}-3\neve short`);
  await look(2);
  const { level, fields, message } = lines.at(-1)!;
  assert.deepEqual(
    [level, message],
    ['error', 'the API keys could not be reloaded; the old ones stay in use'],
  );
  assert.match(String(fields['detail']), /line 2 has a key of 5 characters, fewer than 16\.$/);
  assert.equal((await fetch(`${url}/v1/models`, { headers: anew })).status, 200);
});

test('needs no key and names no caller where there are no keys', async (t) => {
  const { client, url, encoder, lines, metrics } = await serveBoth(t, {});
  const headers = { 'x-api-key': wrongKey };
  assert.equal((await fetch(`${url}/v1/encode`, { method: 'POST', headers, body: 'an image' })).status, 200);
  assert.equal((await client().call('Encode', file)).error, undefined);
  for (const { terms } of encoder.requests) assert.equal(terms?.caller, anyone);
  for (const { fields } of lines) assert.equal(fields['caller'], undefined);
  assert.doesNotMatch((await metrics.expose()).text, /caller="/);
});
