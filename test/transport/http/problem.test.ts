import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type ErrorCode, errorCodes, ServiceError } from '../../../src/errors/service-error.ts';
import { problemKinds } from '../../../src/transport/http/problem.ts';
import type { Metrics } from '../../../src/telemetry/metrics.ts';
import { openStubApp, rawExchange, startStubServer } from './stub-server.ts';

const { ask, encoder } = await openStubApp();
const { server, metrics } = await startStubServer({ limits: { maxHeaderBytes: 8192 } });

const statuses: Record<ErrorCode, number> = {
  invalid_argument: 400,
  unauthenticated: 401,
  not_found: 404,
  not_acceptable: 406,
  failed_precondition: 412,
  too_large: 413,
  unsupported_media: 415,
  overloaded: 429,
  cancelled: 499,
  deadline_exceeded: 504,
  unavailable: 503,
  internal: 500,
};

interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
}

async function readProblem(answer: Response): Promise<ProblemBody> {
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  const body = (await answer.json()) as ProblemBody;
  assert.deepEqual(Object.keys(body), ['type', 'title', 'status', 'detail', 'code', 'request_id']);
  assert.equal(body.status, answer.status);
  assert.equal(body.type, `urn:siglip-hd:problem:${body.code}`);
  assert.equal(body.request_id, answer.headers.get('x-request-id'));
  return body;
}

function encode(init: RequestInit = {}): Promise<Response> {
  return ask('/v1/encode', { method: 'POST', body: 'image', ...init });
}

for (const code of errorCodes) {
  test(`answers ${code} as ${statuses[code]} with the sentence and the request id`, async () => {
    encoder.answer = () => {
      throw new ServiceError(code, `A sentence on ${code}.`, { cause: new Error('a secret') });
    };
    const answer = await encode();
    const body = await readProblem(answer);
    assert.deepEqual(
      [answer.status, body.code, body.detail],
      [statuses[code], code, `A sentence on ${code}.`],
    );
    assert.equal(answer.headers.has('retry-after'), code === 'overloaded' || code === 'unavailable');
  });
}

test('says when to try again, in whole seconds rounded up and in milliseconds', async () => {
  encoder.answer = () => {
    throw new ServiceError('overloaded', 'No room.', { retryAfterMs: 1200.5 });
  };
  const { headers } = await encode();
  assert.deepEqual([headers.get('retry-after'), headers.get('retry-after-ms')], ['2', '1201']);
});

test('answers a failure that is no ServiceError as internal, without its text', async () => {
  encoder.answer = () => {
    throw new TypeError('secret is not a function');
  };
  const body = await readProblem(await encode());
  assert.equal(body.code, 'internal');
  assert.doesNotMatch(JSON.stringify(body), /secret/);
});

test('answers 404 for a path that there is not, with any method and body', async () => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const body = method === 'GET' ? {} : { body: '{', headers: { 'content-type': 'application/json' } };
    const problem = await readProblem(await ask('/v3/encode?x=1', { method, ...body }));
    assert.deepEqual([problem.status, problem.code], [404, 'not_found']);
    assert.match(problem.detail, /\/v3\/encode;/);
  }
});

test('answers 405 with Allow for a path with another method', async () => {
  for (const [method, path, allow] of [
    ['DELETE', '/encode', 'GET, HEAD, POST, OPTIONS'],
    ['PUT', '/v1/encode', 'GET, HEAD, POST, OPTIONS'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
  ] as const) {
    const answer = await ask(path, { method });
    assert.equal(answer.headers.get('allow'), allow);
    const problem = await readProblem(answer);
    assert.deepEqual([problem.status, problem.code], [405, 'method_not_allowed']);
  }
});

test('says where to send an image that was sent to the wrong path or with the wrong method', async () => {
  for (const [method, path, status, sentence] of [
    ['POST', '/', 405, / takes GET, HEAD, not POST\. POST images to \/v1\/encode\.$/],
    ['PUT', '/encode', 405, /not PUT\. curl -T sends PUT: use --data-binary @FILE instead\.$/],
    ['PUT', '/healthz', 405, /not PUT\.$/],
    ['POST', '/v1/images/encode', 404, / Did you mean "\/v1\/encode"\?$/],
    ['POST', '/v1/images/', 404, /lists its paths\.$/],
    ['GET', '/v3/plan', 404, / Did you mean "\/v1\/plan"\?$/],
    ['POST', '/v1/encode?dtype=bf16', 400, / Did you mean "bfloat16"\?$/],
    ['POST', '/v1/encode?dtype=FP16', 400, / Did you mean "float16"\?$/],
    ['POST', '/v1/encode?dtype=int8', 400, /must be one of float16, float32, bfloat16\.$/],
  ] as const) {
    const problem = await readProblem(await ask(path, { method, body: method === 'GET' ? null : 'x' }));
    assert.equal(problem.status, status, path);
    assert.match(problem.detail, sentence);
  }
});

test('answers 400 for a path that cannot be decoded and for bytes that are not HTTP', async () => {
  assert.equal((await readProblem(await ask('/%zz'))).code, 'invalid_argument');
  const text = await rawExchange(server.port, 'this is not HTTP\r\n\r\n');
  assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n/);
  assert.match(text, /"code":"invalid_argument"/);
});

test('answers 431 for headers over the limit', async () => {
  const text = await rawExchange(server.port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`);
  assert.match(text, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  assert.match(text, /"code":"headers_too_large"/);
  assert.match(text, /over the limit of [0-9,]+ bytes/);
});

test('sends no body in answer to a HEAD request that it cannot read', async () => {
  const { server: other } = await startStubServer();
  const long = `/${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  for (const [status, ...packets] of [
    [431, `HEAD ${long}`],
    [431, `\r\nHEAD ${long}`],
    [400, 'HEAD / HTTP/9.9\r\n\r\n'],
  ] as const) {
    const text = await rawExchange(other.port, ...packets);
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} [^]+\r\nconnection: close\r\n\r\n$`));
    assert.doesNotMatch(text, /content-/);
  }
});

test('says what is wrong with any other request that it cannot read', async () => {
  const { server: other } = await startStubServer();
  const long = `/${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  for (const packets of [
    [`GET ${long}`],
    [`\r\nPOST ${long}`],
    ['POST /', long],
    ['GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n', `GET ${long}`],
    ['GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n', 'HEADS / HTTP/1.1\r\n'],
    ['get / HTTP/1.1\r\n'],
  ]) {
    const text = await rawExchange(other.port, ...packets);
    assert.match(
      text,
      /HTTP\/1\.1 4(31|00) [^]+\r\n\r\n\{.+"code":"(headers_too_large|invalid_argument)".+\}$/,
    );
  }
});

test('answers 408 when headers or a body do not arrive in time', async () => {
  const slow = await startStubServer({ limits: { headersMs: 100, requestMs: 200, lingerMs: 50 } });
  for (const start of ['GET /healthz HTTP/1.1\r\nHost:', 'POST /encode HTTP/1.1\r\nHost:', 'PO']) {
    assert.match(
      await rawExchange(slow.server.port, start),
      /^HTTP\/1\.1 408 Request Timeout\r\n[^]+\r\n\r\n\{.+"code":"request_timeout".+\}$/,
    );
  }
  for (const start of [
    'POST /encode HTTP/1.1\r\nHost: a\r\nx-request-id: slow\r\nContent-Length: 9\r\n\r\nabc',
    'POST /encode HTTP/1.1\r\nHost: a\r\nx-request-id: slow\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9\r\n\r\n--x',
  ]) {
    const text = await rawExchange(slow.server.port, start);
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.match(text, /"code":"request_timeout"/);
    assert.match(text, /x-request-id: slow\r\n/);
  }
  const { text } = await slow.metrics.expose();
  assert.match(text, /requests_total\{transport="http",endpoint="encode",code="request_timeout"\} 2/);
});

test('gives back a sane x-request-id and makes one otherwise', async () => {
  const idFor = async (id: string): Promise<string | null> =>
    (await ask('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  assert.equal(await idFor('job-7/image_3'), 'job-7/image_3');
  for (const id of ['a'.repeat(129), 'two words', 'caf\xe9']) {
    assert.match((await idFor(id)) ?? '', /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  }
});

test('lets no header be smuggled in by x-request-id, the path or an option', async () => {
  const text = await rawExchange(
    server.port,
    'GET /a%0d%0ax-evil:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-request-id: a\x01b\r\n\r\n',
  );
  assert.doesNotMatch(text, /^x-evil/im);
  const answer = await ask('/encode?model=%0d%0ax-evil:1&format=%0d%0ax-evil:1', {
    method: 'POST',
    body: 'x',
  });
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get('x-evil'), null);
});

test('counts requests by how they ended', async () => {
  const answered = await openStubApp();
  const broken = { metrics };
  answered.encoder.answer = () => {
    throw new ServiceError('too_large', 'Too large.');
  };
  await answered.ask('/v1/encode', { method: 'POST', body: 'image' });
  const counted = async ({ metrics: each }: { metrics: Metrics }) => (await each.expose()).text;
  assert.match(
    await counted(answered),
    /siglip_hd_requests_total\{transport="http",endpoint="encode",code="too_large"\} 1\n/,
  );
  assert.match(
    await counted(broken),
    /siglip_hd_requests_total\{transport="http",endpoint="unmatched",code="headers_too_large"\} 1\n/,
  );
});

test('has every code and its status in docs/http.md', async () => {
  const text = await readFile(new URL('../../../../docs/http.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  const kinds = Object.entries(problemKinds).map(([code, { status }]) => [code, status]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(kinds));
});
