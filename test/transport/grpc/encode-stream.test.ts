import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from 'node:http2';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { takeBytes } from '../../../bench/load/trickle.ts';
import { errorCodes, ServiceError } from '../../../src/errors/service-error.ts';
import { grpcStatus } from '../../../src/transport/grpc/status.ts';
import { fired } from '../../support/fired.ts';
import { type EncodeResponse, statusDetails } from '../../support/grpc-client.ts';
import { Gate } from '../../support/gate.ts';
import { until } from '../../support/until.ts';
import { StreamCaller } from '../../support/stream-caller.ts';
import { StubEncoder, stubByte, stubFailure } from '../../support/stub-encoder.ts';
import { budgetOf, file, serve, service } from './stub-server.ts';

/** AnyRes of this size answers 5052 tokens: 23 MB of float32 at 1152 channels. */
const largeSize = { width: 1218, height: 1722 };
const largeAnyres = { ...file, options: { dtype: 'DTYPE_FLOAT32' } };

/** Holds a test until the stub has been given so many requests. */
async function requested(encoder: StubEncoder, count: number): Promise<void> {
  await until(() => encoder.requests.length >= count);
}

test('answers each of the three kinds as its own call does', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  const stream = new StreamCaller(caller);
  for (const [method, kind, own] of [
    ['Encode', 'encode', { options: { model: 'stub', dtype: 'DTYPE_BFLOAT16' } }],
    ['TeacherEncode', 'teacher', { teacher: { scales: [512], weights: [2] } }],
    ['AnyResEncode', 'anyres', { anyres: { assembly: 'ASSEMBLY_TILES' } }],
  ] as const) {
    stream.send(`a ${kind}`, { [kind]: { ...file, ...own } });
    const streamed = await stream.answer(`a ${kind}`);
    const { response } = await caller.call<EncodeResponse>(method, { ...file, ...own });
    assert.ok(response);
    const { tensor, metadata, timings } = response;
    assert.deepEqual(streamed, { metadata, timings, data: tensor.data });
    const [ofStream, ofCall] = encoder.requests.splice(0);
    assert.deepEqual({ ...ofStream, signal: null }, { ...ofCall, signal: null });
  }
  stream.halfClose();
  assert.equal((await stream.status).code, status.OK);
});

test('sends 23 MB of AnyRes tokens to a client with default limits, which a unary call cannot', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  encoder.fileSize = largeSize;
  encoder.partCount = 7;
  const { client } = await serve(t, encoder);
  const caller = client(service, undefined, {});
  const stream = new StreamCaller(caller);
  stream.send('large', { anyres: largeAnyres });
  const { metadata, data } = await stream.answer('large');
  assert.deepEqual(metadata.shape, [5052, 1152]);
  assert.equal(data.byteLength, 5052 * 1152 * 4);
  assert.ok(data.every((byte, index) => byte === stubByte(index)));

  let offset = 0;
  for (const { id, chunk } of stream.messages) {
    assert.ok(chunk);
    assert.equal(id, 'large');
    assert.equal(chunk.offset, offset);
    assert.equal(chunk.totalBytes, data.byteLength);
    assert.equal(chunk.metadata !== null, offset === 0);
    assert.equal(chunk.timings !== null, offset === 0);
    offset += chunk.data.byteLength;
    if (offset < data.byteLength) assert.equal(chunk.data.byteLength, 2 ** 20);
  }
  const { error } = await caller.call('AnyResEncode', largeAnyres);
  assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
});

test('answers in order of completion', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const stream = new StreamCaller(client(service));
  const gate = new Gate();
  encoder.gate = gate;
  stream.send('slow', { encode: file });
  await requested(encoder, 1);
  encoder.gate = undefined;
  stream.send('fast', { encode: file });
  await stream.answer('fast');
  gate.open();
  await stream.answer('slow');
  assert.deepEqual(
    stream.finished.map(([id]) => id),
    ['fast', 'slow'],
  );
});

test('a short answer overtakes a long one', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  encoder.fileSize = largeSize;
  const { client } = await serve(t, encoder);
  const stream = new StreamCaller(client(service));
  const gate = new Gate();
  encoder.gate = gate;
  stream.send('long', { anyres: largeAnyres });
  stream.send('short', { encode: file });
  await requested(encoder, 2);
  gate.open();
  await stream.answer('long');
  assert.equal(stream.finished[0]![0], 'short');
  assert.equal(stream.messages[0]!.id, 'long');
});

test('answers every failure under its id and with its code, and goes on', async (t) => {
  const encoder = new StubEncoder();
  const { client, observed } = await serve(t, encoder);
  const stream = new StreamCaller(client(service));
  for (const code of errorCodes) {
    encoder.failure = stubFailure(code);
    stream.send(code, { encode: file });
    assert.deepEqual(await stream.failure(code), {
      reason: code,
      code: grpcStatus(code),
      message: `Failed with ${code}, on purpose.`,
      ...(code === 'overloaded' || code === 'unavailable'
        ? { retry: 'retryAfterMs', retryAfterMs: 1000 }
        : {}),
    });
  }
  for (const [retryAfterMs, expectedMs] of [
    [0, 0],
    [61_234.5, 61_235],
  ] as const) {
    encoder.failure = new ServiceError('overloaded', 'No room.', { retryAfterMs });
    stream.send(`after ${expectedMs}`, { encode: file });
    assert.equal((await stream.failure(`after ${expectedMs}`)).retryAfterMs, expectedMs);
  }
  encoder.failure = undefined;
  stream.send('good', { encode: file });
  await stream.answer('good');
  stream.halfClose();
  assert.equal((await stream.status).code, status.OK);
  assert.deepEqual(
    observed.map(({ endpoint, code }) => `${endpoint} ${code}`),
    [...errorCodes, 'overloaded', 'overloaded', 'ok'].map((code) => `stream_encode ${code}`),
  );
});

const inPlace: readonly [name: string, request: object, sentence: RegExp][] = [
  ['of no kind', {}, /encode, teacher or anyres/],
  ['without an image', { encode: {} }, /image\.file, image\.raw or image\.digest/],
  ['with an option that cannot be', { teacher: { ...file, teacher: { scales: [700] } } }, /scale 700/],
];
for (const [name, request, sentence] of inPlace)
  test(`answers a request ${name} with invalid_argument, and goes on`, async (t) => {
    const { client } = await serve(t, new StubEncoder());
    const stream = new StreamCaller(client(service));
    stream.send('bad', request);
    stream.send('good', { encode: file });
    const { reason, message } = await stream.failure('bad');
    assert.equal(reason, 'invalid_argument');
    assert.match(message, sentence);
    await stream.answer('good');
  });

test('accepts an id again once it is answered', async (t) => {
  const { client } = await serve(t, new StubEncoder());
  const stream = new StreamCaller(client(service));
  for (let turn = 0; turn < 20; turn++) {
    stream.finished.length = 0;
    stream.send('one', { encode: file });
    await stream.answer('one');
  }
});

for (const [name, id, sentence] of [
  ['no id', '', /1 to 128/],
  ['an id of 129 characters', 'x'.repeat(129), /1 to 128/],
  ['an id that is still unanswered', 'good', /^The id "good" .* still unanswered\.$/],
] as const)
  test(`ends with invalid_argument at ${name}, after the answers under way`, async (t) => {
    const encoder = new StubEncoder();
    const gate = new Gate();
    encoder.gate = gate;
    const { client, lines } = await serve(t, encoder);
    const stream = new StreamCaller(client(service), { metadata: { 'x-request-id': 'caller-9' } });
    stream.send('good', { encode: file });
    stream.send(id, { encode: file });
    await requested(encoder, 1);
    await until(() => lines.length === 1);
    gate.open();
    await stream.answer('good');
    const { code, details, metadata } = await stream.status;
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, sentence);
    assert.equal(statusDetails(metadata).errorInfo?.reason, 'invalid_argument');
    assert.deepEqual(metadata.get('x-request-id'), ['caller-9']);
    assert.equal(encoder.requests.length, 1);
    assert.deepEqual(
      lines.map(({ fields }) => [fields.streamed_id, fields.code]),
      [
        [undefined, 'invalid_argument'],
        ['good', 'ok'],
      ],
    );
  });

test('returns the request id in its headers, and logs every image with both ids', async (t) => {
  const { client, lines } = await serve(t, new StubEncoder());
  const stream = new StreamCaller(client(service), { metadata: { 'x-request-id': 'caller-7' } });
  assert.deepEqual((await stream.headers).get('x-request-id'), ['caller-7']);
  stream.send('a', { encode: file });
  await stream.answer('a');
  stream.halfClose();
  await stream.status;
  const { request_id: requestId, streamed_id: streamedId, endpoint, code } = lines[0]!.fields;
  assert.deepEqual([requestId, streamedId, endpoint, code], ['caller-7', 'a', 'stream_encode', 'ok']);
});

test('answers what is under way after the client has half-closed', async (t) => {
  const encoder = new StubEncoder();
  const gate = new Gate();
  encoder.gate = gate;
  const { client } = await serve(t, encoder);
  const stream = new StreamCaller(client(service));
  for (const id of ['a', 'b', 'c']) stream.send(id, { encode: file });
  stream.halfClose();
  await requested(encoder, 3);
  gate.open();
  assert.equal((await stream.status).code, status.OK);
  assert.deepEqual(stream.finished.map(([id]) => id).sort(), ['a', 'b', 'c']);
});

test('ends with OK at once for a client that sends nothing', async (t) => {
  const { client } = await serve(t, new StubEncoder());
  const stream = new StreamCaller(client(service));
  stream.halfClose();
  assert.equal((await stream.status).code, status.OK);
});

test('fires the signals of a stream with cancelled when its client leaves, and no others', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client, observed } = await serve(t, encoder);
  const caller = client(service);
  const staying = new StreamCaller(caller);
  staying.send('stays', { encode: file });
  await requested(encoder, 1);
  const leaving = new StreamCaller(caller);
  for (const id of ['a', 'b', 'c']) leaving.send(id, { encode: file });
  await requested(encoder, 4);
  const [kept, ...lost] = encoder.requests.map(({ signal }) => signal);
  leaving.cancel();
  await until(() => observed.length === 3);
  for (const signal of lost) assert.equal((signal.reason as ServiceError).code, 'cancelled');
  assert.deepEqual(
    observed.map(({ code }) => code),
    ['cancelled', 'cancelled', 'cancelled'],
  );
  assert.equal(kept!.aborted, false);
  encoder.gate.open();
  await staying.answer('stays');
});

test('fires the signals of a stream with deadline_exceeded when its deadline passes', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  await caller.connected();
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const stream = new StreamCaller(caller, { deadline: Date.now() + 300 });
  stream.send('a', { encode: file });
  await requested(encoder, 1);
  const { signal } = encoder.requests[0]!;
  assert.equal(signal.aborted, false);
  t.mock.timers.tick(300);
  await fired(signal);
  assert.equal((signal.reason as ServiceError).code, 'deadline_exceeded');
  assert.equal((await stream.status).code, status.DEADLINE_EXCEEDED);
});

test('a request that does not fit waits for those before it', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client } = await serve(t, encoder, {}, { messageBudget: budgetOf(150) });
  const caller = client(service);
  const stream = new StreamCaller(caller);
  const large = { image: { file: Buffer.alloc(100) } };
  stream.send('a', { encode: large });
  await requested(encoder, 1);
  stream.send('b', { encode: large });
  // The answer to a later call on the same connection shows that the request has arrived.
  await caller.call('ListModels', {});
  assert.equal(encoder.requests.length, 1);
  encoder.gate.open();
  await stream.answer('a');
  await stream.answer('b');
});

test('limits the requests of a stream under way, and holds back no other stream or call', async (t) => {
  const encoder = new StubEncoder();
  const gate = new Gate();
  encoder.gate = gate;
  const { client } = await serve(t, encoder, { maxStreamRequests: 2 });
  const caller = client(service);
  const full = new StreamCaller(caller);
  const ids = Array.from({ length: 40 }, (_, index) => String(index));
  for (const id of ids) full.send(id, { encode: file });
  await requested(encoder, 2);
  encoder.gate = undefined;
  const other = new StreamCaller(caller);
  for (const id of ids.slice(0, 5)) {
    other.send(id, { encode: file });
    await other.answer(id);
  }
  assert.equal((await caller.call('Encode', file)).error, undefined);
  assert.equal(encoder.requests.length, 2 + 5 + 1);
  gate.open();
  full.halfClose();
  assert.equal((await full.status).code, status.OK);
  assert.equal(full.finished.length, 40);
});

test('stops reading while the requests under way are as large as one may be', async (t) => {
  const encoder = new StubEncoder();
  const gate = new Gate();
  encoder.gate = gate;
  const { client } = await serve(t, encoder, { maxRequestBytes: 1000 });
  const caller = client(service);
  const stream = new StreamCaller(caller);
  const image = { image: { file: Buffer.alloc(400) } };
  for (const id of ['a', 'b', 'c', 'd', 'e']) stream.send(id, { encode: image });
  await requested(encoder, 3);
  // On the same connection: when it is answered, all five have long arrived.
  assert.equal((await caller.call('ListModels', {})).error, undefined);
  assert.equal(encoder.requests.length, 3);
  gate.open();
  stream.halfClose();
  assert.equal((await stream.status).code, status.OK);
  assert.equal(stream.finished.length, 5);
});

/** A gRPC call by hand, since grpc-js's clients hold messages that their callers do not read. */
function rawCall(
  session: ClientHttp2Session,
  method: string,
  messages: readonly Buffer[],
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${service}/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  for (const message of messages)
    stream.write(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  stream.end();
  return stream;
}

/** An EncodeRequest of one byte, and a StreamEncodeRequest of it with an id of one character. */
const rawRequest = Buffer.from([0x0a, 3, 0x0a, 1, 0x55]);
const rawStreamRequest = (id: string) =>
  Buffer.concat([Buffer.from([0x0a, 1, id.charCodeAt(0), 0x12, rawRequest.length]), rawRequest]);

/** Reads a call to its end: how many bytes it answered, and its status. */
async function readOut(stream: ClientHttp2Stream): Promise<{ sizeBytes: number; grpcStatus: unknown }> {
  const trailers = once(stream, 'trailers');
  let sizeBytes = 0;
  stream.on('data', (bytes: Buffer) => (sizeBytes += bytes.byteLength));
  stream.resume();
  const [headers] = (await trailers) as [Record<string, unknown>];
  return { sizeBytes, grpcStatus: headers['grpc-status'] };
}

test('holds back a stream whose answers are not read, and nothing else on its connection', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  const { server, observed } = await serve(t, encoder, { maxStreamRequests: 3 });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const answerBytes = 1024 * 1152 * 2;
  const ids = 'abcdefghijkl'.split('');
  const slow = rawCall(session, 'StreamEncode', ids.map(rawStreamRequest));
  slow.pause();
  await requested(encoder, 3);

  for (const _ of ids) {
    const { sizeBytes, grpcStatus: code } = await readOut(rawCall(session, 'Encode', [rawRequest]));
    assert.equal(code, '0');
    assert.ok(sizeBytes > answerBytes);
  }
  const { sizeBytes } = await readOut(rawCall(session, 'StreamEncode', ids.map(rawStreamRequest)));
  assert.ok(sizeBytes > ids.length * answerBytes);
  assert.equal(encoder.requests.length, 3 + 12 + 12);
  assert.equal(observed.length, 12 + 12);

  const read = await readOut(slow);
  assert.equal(read.grpcStatus, '0');
  assert.ok(read.sizeBytes > ids.length * answerBytes);
  assert.equal(encoder.requests.length, 12 + 12 + 12);
});

for (const [method, message] of [
  ['Encode', rawRequest],
  ['StreamEncode', rawStreamRequest('a')],
] as const) {
  test(`ends an ${method} whose client reads nothing, and harms no other call of its connection`, async (t) => {
    const encoder = new StubEncoder({ channels: 1152 });
    const limits = { reading: { graceMs: 500, bytesPerSecond: 2 ** 30 } };
    const { server, observed } = await serve(t, encoder, limits);
    const session = connectHttp2(`http://127.0.0.1:${server.port}`);
    t.after(() => session.destroy());
    const unread = rawCall(session, method, [message]);
    unread.pause();
    unread.on('error', () => {});
    await once(unread, 'close');
    assert.equal(unread.rstCode, constants.NGHTTP2_CANCEL);
    const { grpcStatus: code } = await readOut(rawCall(session, 'ListModels', [Buffer.alloc(0)]));
    assert.equal(code, '0');
    await until(() => observed.length === 2);
    assert.equal(server.underWay, 0);
  });
}

test('a client that reads several answers at the least pace is not reset', async (t) => {
  const encoder = new StubEncoder({ channels: 256 });
  // An answer alone has 1.15 s at this pace; all six take 1.6 s at the client's.
  const { server, observed } = await serve(t, encoder, {
    reading: { graceMs: 100, bytesPerSecond: 500_000 },
  });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const stream = rawCall(session, 'StreamEncode', ids.map(rawStreamRequest));
  let ended: Record<string, unknown> = {};
  stream.once('trailers', (trailers: Record<string, unknown>) => (ended = trailers));
  takeBytes(stream, 2_000_000, () => undefined);
  await once(stream, 'close');
  assert.equal(ended['grpc-status'], '0');
  assert.deepEqual(
    observed.map(({ code }) => code),
    ids.map(() => 'ok'),
  );
});

test('drops the answers of a client that leaves without reading them', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  const { observed, server } = await serve(t, encoder);
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const stream = rawCall(session, 'StreamEncode', 'abc'.split('').map(rawStreamRequest));
  stream.pause();
  await requested(encoder, 3);
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => observed.length === 3);
  assert.deepEqual(
    observed.map(({ code }) => code),
    ['cancelled', 'cancelled', 'cancelled'],
  );
  session.close();
  await server.drain();
});

test('a drain ends streams with unavailable after the answers under way, and idle ones at once', async (t) => {
  const encoder = new StubEncoder();
  const gate = new Gate();
  encoder.gate = gate;
  const { client, server } = await serve(t, encoder);
  const caller = client(service);
  const idle = new StreamCaller(caller);
  await idle.headers;
  const busy = new StreamCaller(caller);
  busy.send('a', { encode: file });
  await requested(encoder, 1);
  const halfClosed = new StreamCaller(caller);
  halfClosed.send('b', { encode: file });
  halfClosed.halfClose();
  await requested(encoder, 2);
  // Follows the half-close on the same connection.
  await caller.call('ListModels', {});

  const drained = server.drain();
  assert.equal((await idle.status).code, status.UNAVAILABLE);
  gate.open();
  await busy.answer('a');
  const { code, metadata } = await busy.status;
  assert.equal(code, status.UNAVAILABLE);
  assert.equal(statusDetails(metadata).errorInfo?.reason, 'unavailable');
  await halfClosed.answer('b');
  assert.equal((await halfClosed.status).code, status.OK);
  await drained;
});

test('closing the server fires the signals of its streams', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client, server } = await serve(t, encoder);
  const stream = new StreamCaller(client(service));
  stream.send('a', { encode: file });
  await requested(encoder, 1);
  const stopped = fired(encoder.requests[0]!.signal);
  await server.close();
  await stopped;
  assert.notEqual((await stream.status).code, status.OK);
});
