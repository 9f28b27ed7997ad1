import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { anyone } from '../../../src/admission/caller.ts';
import type { EncodeAnswer, EncodeRequest } from '../../../src/encoding/request.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { Gate } from '../../support/gate.ts';
import { settled, until } from '../../support/until.ts';
import { StubEncoder } from '../../support/stub-encoder.ts';
import { begin, closed, connectRaw, encodeMessage, prefix, statusOf, streamMessage } from './raw-calls.ts';
import { budgetOf, file, serve, service } from './stub-server.ts';

const healthCheck = '/grpc.health.v1.Health/Check';
const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

test('a message that does not fit waits, and is answered once the messages before it are encoded', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server } = await serve(t, encoder, {}, { messageBudget: budgetOf(1_000_000) });
  const session = connectRaw(server.port);
  const calls = [600_000, 600_000, 600_000].map((sizeBytes) => {
    const stream = begin(session, 'Encode');
    const answered = statusOf(stream);
    stream.end(encodeMessage(sizeBytes));
    return answered;
  });
  await until(() => encoder.requests.length === 1 && server.underWay === 3);
  assert.equal(encoder.requests.length, 1);
  encoder.gate.open();
  assert.deepEqual(await Promise.all(calls), [status.OK, status.OK, status.OK]);
});

test('a message that does not fit in time is refused before it is sent, with the time to retry after', async (t) => {
  const encoder = new StubEncoder();
  const options = { messageBudget: budgetOf(1000) };
  const { server, lines } = await serve(t, encoder, { waitMs: 20 }, options);
  const stream = begin(connectRaw(server.port), 'Encode');
  const answered = once(stream, 'response') as Promise<[Record<string, string>]>;
  stream.write(prefix(5_000_000));
  const [headers] = await answered;
  assert.equal(headers['grpc-status'], String(status.RESOURCE_EXHAUSTED));
  assert.equal(headers['grpc-retry-pushback-ms'], '70');
  assert.equal(encoder.requests.length, 0);
  assert.deepEqual([lines[0]?.fields.code, lines[0]?.fields.endpoint], ['overloaded', 'encode']);
});

test('a waiting call gives up its place when its client cancels or its deadline passes', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, observed } = await serve(t, encoder, {}, { messageBudget: budgetOf(1000) });
  const session = connectRaw(server.port);
  const first = begin(session, 'Encode').end(encodeMessage(800));
  await until(() => encoder.requests.length === 1);
  const leavingStream = begin(session, 'StreamEncode');
  leavingStream.write(streamMessage('a', 850));
  const leaving = begin(session, 'Encode').end(encodeMessage(900));
  const late = begin(session, 'Encode', { 'grpc-timeout': '50m' }).end(encodeMessage(900));
  assert.equal(await statusOf(late), status.DEADLINE_EXCEEDED);
  leavingStream.close(constants.NGHTTP2_CANCEL);
  leaving.close(constants.NGHTTP2_CANCEL);
  await until(() => observed.length === 2);
  // A request of a stream begins when its message has arrived.
  assert.deepEqual(
    observed.map(({ endpoint, code }) => [endpoint, code]),
    [
      ['encode', 'deadline_exceeded'],
      ['encode', 'cancelled'],
    ],
  );
  // Those three stood before this one, which fits beside the first.
  const next = begin(session, 'Encode').end(encodeMessage(100));
  await until(() => encoder.requests.length === 2);
  encoder.gate.open();
  assert.deepEqual(await Promise.all([first, next].map(statusOf)), [status.OK, status.OK]);
});

test('a client that disconnects in the middle of a message frees its room for the next one', async (t) => {
  const { server } = await serve(t, new StubEncoder(), {}, { messageBudget: budgetOf(250_000) });
  const leaving = connectRaw(server.port);
  const half = begin(leaving, 'StreamEncode');
  half.write(streamMessage('a', 200_000).subarray(0, 150_000));
  await once(leaving, 'remoteSettings');
  await until(() => half.writableLength === 0);
  const session = connectRaw(server.port);
  const next = begin(session, 'Encode').end(encodeMessage(200_000));
  const answered = statusOf(next);
  leaving.destroy();
  assert.equal(await answered, status.OK);
});

test('300 clients that announce 20 MB and send 20 kB do not keep another client out', async (t) => {
  const encoder = new StubEncoder();
  const { server, observed } = await serve(t, encoder, {}, { messageBudget: budgetOf(512 * 2 ** 20) });
  const sessions = [connectRaw(server.port), connectRaw(server.port), connectRaw(server.port)];
  for (const session of sessions)
    for (let call = 0; call < 100; call++) {
      const stream = begin(session, 'Encode');
      stream.write(prefix(20_000_000));
      stream.write(Buffer.alloc(20_000));
    }
  await until(() => server.underWay === 300);
  const fast = begin(connectRaw(server.port), 'Encode').end(encodeMessage(20_000_000));
  assert.equal(await statusOf(fast), status.OK);
  assert.deepEqual(
    observed.map(({ code }) => code),
    ['ok'],
  );
});

for (const isFreed of [true, false])
  test(`a slow message whose room went to another ${isFreed ? 'waits for it' : 'is refused if it stays taken'}`, async (t) => {
    const encoder = new StubEncoder();
    encoder.gate = new Gate();
    const waitMs = isFreed ? 5000 : 20;
    const { server } = await serve(t, encoder, { waitMs }, { messageBudget: budgetOf(300_000) });
    const session = connectRaw(server.port);
    const message = streamMessage('a', 200_000);
    const slow = begin(session, 'StreamEncode');
    const answered = statusOf(slow);
    slow.write(message.subarray(0, 80_000));
    // It fits once the slow message holds no more than twice what has arrived.
    const other = begin(session, 'StreamEncode');
    other.write(streamMessage('b', 130_000));
    await until(() => encoder.requests.length === 1);
    slow.end(message.subarray(80_000));
    await new Promise((resolve) => session.ping(resolve));
    if (isFreed) encoder.gate.open();
    assert.equal(await answered, isFreed ? status.OK : status.RESOURCE_EXHAUSTED);
  });

test('messages that never end take no more memory than the budget and their flow-control windows', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const limits = { waitMs: 60_000 };
  const { server } = await serve(t, new StubEncoder(), limits, { messageBudget: budgetOf(8 * 2 ** 20) });
  const session = connectRaw(server.port);
  const bytes = Buffer.alloc(2_000_000);
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let call = 0; call < 100; call++) {
    const stream = begin(session, 'Encode');
    stream.write(prefix(bytes.byteLength + 1));
    stream.write(bytes);
  }
  await until(() => server.underWay === 100);
  // Nothing more arrives once the windows are full.
  await settled(() => process.memoryUsage().arrayBuffers);
  collect();
  const heldBytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(heldBytes < 8 * 2 ** 20 + 100 * (2 ** 18 + 2 ** 17), String(heldBytes));
});

test('a message in frames of one byte is charged for what the frames cost', async (t) => {
  const { server } = await serve(t, new StubEncoder(), {}, { messageBudget: budgetOf(200_000) });
  const stream = begin(connectRaw(server.port), 'Encode');
  const answered = statusOf(stream);
  stream.write(prefix(100_000));
  // What is written in one turn of the event loop goes out as one frame.
  for (let sent = 0; sent < 2000 && !stream.closed; sent++) {
    stream.write(Buffer.of(7));
    await nextTurn();
  }
  assert.equal(await answered, status.RESOURCE_EXHAUSTED);
});

test('a client without a key is refused at once, whatever it sends', async (t) => {
  const authenticate = () => {
    throw new ServiceError('unauthenticated', 'No key.');
  };
  const strangers = await serve(t, new StubEncoder(), {}, { authenticate, messageBudget: budgetOf(0) });
  const session = connectRaw(strangers.server.port);
  for (const method of ['Encode', 'StreamEncode']) {
    const stream = begin(session, method);
    const answered = statusOf(stream);
    stream.write(prefix(10_000_000));
    stream.write(Buffer.alloc(10_000_000));
    assert.equal(await answered, status.UNAUTHENTICATED, method);
    await closed(stream);
  }
  assert.equal(strangers.server.underWay, 0);
});

test('calls beyond the limit are refused until one ends, and health checks never are', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, observed } = await serve(t, encoder, {}, { callBudget: budgetOf(2) });
  const session = connectRaw(server.port);
  const streams = [begin(session, 'StreamEncode'), begin(session, 'StreamEncode')];
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  const refused = begin(session, 'Encode').end(encodeMessage(10));
  assert.equal(await statusOf(refused), status.RESOURCE_EXHAUSTED);
  assert.equal(observed[0]?.code, 'overloaded');
  assert.equal(await statusOf(begin(session, healthCheck).end(prefix(0))), status.OK);
  streams[0]!.end();
  await closed(streams[0]!);
  encoder.gate.open();
  assert.equal(await statusOf(begin(session, 'Encode').end(encodeMessage(10))), status.OK);
});

test('health watches and reflection count as open calls, health checks do not', async (t) => {
  const { server } = await serve(t, new StubEncoder(), {}, { callBudget: budgetOf(1) });
  const session = connectRaw(server.port);
  for (const method of ['/grpc.health.v1.Health/Watch', reflection]) {
    const open = begin(session, method);
    open.write(prefix(0));
    await once(open, 'response');
    for (const other of ['/grpc.health.v1.Health/Watch', reflection, 'Encode'])
      assert.equal(await statusOf(begin(session, other).end(prefix(0))), status.RESOURCE_EXHAUSTED, other);
    assert.equal(await statusOf(begin(session, healthCheck).end(prefix(0))), status.OK);
    open.close(constants.NGHTTP2_CANCEL);
    await closed(open);
    await new Promise((resolve) => session.ping(resolve));
  }
});

test('health checks whose message does not come make room for others, the oldest first', async (t) => {
  const { server } = await serve(t, new StubEncoder(), { maxHalfSentChecks: 2 });
  const session = connectRaw(server.port);
  const half = [1, 2, 3].map(() => begin(session, healthCheck));
  const statuses = half.map(statusOf);
  for (const call of half) call.write(prefix(10));
  assert.equal(await statuses[0], status.RESOURCE_EXHAUSTED);
  assert.equal(await statusOf(begin(session, healthCheck).end(prefix(0))), status.OK);
  // That one was the third as well, until its message came.
  assert.equal(await statuses[1], status.RESOURCE_EXHAUSTED);
  assert.equal(half[2]!.closed, false);
});

test('calls that are reset at once leave nothing behind', async (t) => {
  const { server } = await serve(t, new StubEncoder(), {}, { callBudget: budgetOf(20) });
  const session = connectRaw(server.port);
  for (let turn = 0; turn < 20; turn++) {
    for (let call = 0; call < 20; call++) {
      const stream = begin(session, call % 2 === 0 ? 'Encode' : 'StreamEncode');
      stream.write(prefix(100));
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => session.ping(resolve));
  }
  assert.equal(await statusOf(begin(session, 'Encode').end(encodeMessage(10))), status.OK);
  await until(() => server.underWay === 0);
});

test('a message that does not arrive in time ends its call, but a stream may be silent between messages', async (t) => {
  const { server, lines } = await serve(t, new StubEncoder(), { arriveMs: 100 });
  const session = connectRaw(server.port);
  const silent = begin(session, 'StreamEncode');
  const calls = [begin(session, 'Encode'), begin(session, 'Encode'), begin(session, 'StreamEncode')];
  calls[1]!.write(prefix(100));
  calls[1]!.write(Buffer.alloc(50));
  calls[2]!.write(prefix(100).subarray(0, 3));
  for (const call of calls) assert.equal(await statusOf(call), status.DEADLINE_EXCEEDED);
  assert.equal(silent.closed, false);
  assert.equal(lines.filter(({ fields }) => fields.code === 'deadline_exceeded').length, 3);
});

test('a message that the service does not read yet is not late', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, lines } = await serve(t, encoder, { arriveMs: 100, maxStreamRequests: 1 });
  const session = connectRaw(server.port);
  const stream = begin(session, 'StreamEncode');
  const answered = statusOf(stream);
  stream.end(Buffer.concat([streamMessage('a', 10), streamMessage('b', 500_000), streamMessage('c', 10)]));
  await encoder.arrival.passed();
  // The second message has begun to arrive, and time passes.
  await new Promise((resolve) => session.ping(resolve));
  t.mock.timers.tick(200);
  encoder.gate.open();
  assert.equal(await answered, status.OK);
  assert.deepEqual(
    lines.map(({ fields }) => fields.code),
    ['ok', 'ok', 'ok'],
  );
});

for (const roomBytes of [1e9, 130_000])
  test(`every message of a stream is answered, sent at once or one by one, with room for ${roomBytes} bytes`, async (t) => {
    const { server } = await serve(t, new StubEncoder(), {}, { messageBudget: budgetOf(roomBytes) });
    const session = connectRaw(server.port);
    const messages = fc.array(fc.oneof(fc.nat(300), fc.nat(120_000)), { minLength: 2, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(messages, fc.boolean(), async (sizes, together) => {
        const stream = begin(session, 'StreamEncode');
        const answered = statusOf(stream);
        const sent = sizes.map((sizeBytes, index) => streamMessage(`i${index}`, sizeBytes));
        for (const bytes of together ? [Buffer.concat(sent)] : sent) stream.write(bytes);
        stream.end();
        assert.equal(await answered, status.OK);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

test('a message arrives intact in pieces of any size', async (t) => {
  const encoder = new StubEncoder();
  const { server } = await serve(t, encoder);
  const session = connectRaw(server.port);
  const framed = encodeMessage(22);
  for (let size = 1; size <= framed.byteLength; size += 3) {
    const stream = begin(session, 'Encode');
    const ended = statusOf(stream);
    for (let from = 0; from < framed.byteLength; from += size) {
      stream.write(framed.subarray(from, from + size));
      await nextTurn();
    }
    stream.end();
    assert.equal(await ended, status.OK);
  }
  for (const { images } of encoder.requests) {
    assert.deepEqual(images[0]?.kind === 'file' && Buffer.from(images[0].bytes), Buffer.alloc(22, 7));
  }
});

test('a message of exactly the limit is accepted, and one byte more is too large', async (t) => {
  const message = encodeMessage(100_000);
  const { server } = await serve(t, new StubEncoder(), { maxRequestBytes: message.byteLength - 5 });
  const session = connectRaw(server.port);
  assert.equal(await statusOf(begin(session, 'Encode').end(message)), status.OK);
  const larger = begin(session, 'Encode').end(encodeMessage(100_001));
  assert.equal(await statusOf(larger), status.INVALID_ARGUMENT);
});

test('a message that is too large ends its stream after the answers under way', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, lines } = await serve(t, encoder, { maxRequestBytes: 100_000 });
  const stream = begin(connectRaw(server.port), 'StreamEncode');
  const answered = statusOf(stream);
  stream.write(streamMessage('a', 10));
  await encoder.arrival.passed();
  stream.write(streamMessage('b', 200_000));
  await until(() => lines.length === 1);
  encoder.gate.open();
  assert.equal(await answered, status.INVALID_ARGUMENT);
  assert.deepEqual(
    lines.map(({ fields }) => [fields.streamed_id, fields.code]),
    [
      [undefined, 'too_large'],
      ['a', 'ok'],
    ],
  );
});

for (const method of ['Encode', 'StreamEncode'])
  test(`a compressed ${method} is told to send its messages uncompressed`, async (t) => {
    const { server, lines } = await serve(t, new StubEncoder());
    const stream = begin(connectRaw(server.port), method, { 'grpc-encoding': 'gzip' });
    const answered = once(stream, 'response') as Promise<[Record<string, string>]>;
    const bytes = gzipSync(Buffer.alloc(1_000_000));
    stream.end(Buffer.concat([Buffer.of(1), prefix(bytes.byteLength).subarray(1), bytes]));
    const [headers] = await answered;
    assert.equal(headers['grpc-status'], String(status.UNIMPLEMENTED));
    assert.match(decodeURI(headers['grpc-message'] ?? ''), /grpc-encoding: gzip\); send it uncompressed/);
    assert.equal(lines[0]?.fields.code, 'unsupported_media');
  });

test('a call that ends without a complete message is refused', async (t) => {
  const { server, lines } = await serve(t, new StubEncoder());
  const session = connectRaw(server.port);
  for (const method of ['Encode', 'StreamEncode'])
    for (const bytes of [Buffer.alloc(0), prefix(9), Buffer.concat([prefix(9), Buffer.alloc(3)])]) {
      const isEmptyStream = method === 'StreamEncode' && bytes.byteLength === 0;
      const answered = await statusOf(begin(session, method).end(bytes));
      assert.equal(answered, isEmptyStream ? status.OK : status.INVALID_ARGUMENT, method);
    }
  assert.deepEqual(new Set(lines.map(({ fields }) => fields.code)), new Set(['invalid_argument']));
});

test('health checks and reflection accept no large, late or second message', async (t) => {
  const { server } = await serve(t, new StubEncoder(), { arriveMs: 100 });
  const session = connectRaw(server.port);
  for (const method of [healthCheck, reflection]) {
    const large = begin(session, method);
    large.write(prefix(1025));
    assert.equal(await statusOf(large), status.INVALID_ARGUMENT, method);
    const half = begin(session, method);
    half.write(prefix(10));
    assert.equal(await statusOf(half), status.DEADLINE_EXCEEDED, method);
  }
  const watch = begin(session, '/grpc.health.v1.Health/Watch');
  watch.write(prefix(0));
  await once(watch, 'response');
  watch.write(prefix(0));
  assert.equal(await closed(watch), constants.NGHTTP2_ENHANCE_YOUR_CALM, 'nor more than one message');
});

test('a unary call is answered, and its stream closed, even if the client does not half-close', async (t) => {
  const { server } = await serve(t, new StubEncoder(), {}, { messageBudget: budgetOf(100) });
  const session = connectRaw(server.port);
  for (const [method, message, code] of [
    ['Encode', encodeMessage(80), status.OK],
    [healthCheck, prefix(0), status.OK],
    ['/grpc.nothing/Nothing', prefix(0), status.UNIMPLEMENTED],
    ['Encode', encodeMessage(80), status.OK],
  ] as const) {
    const stream = begin(session, method);
    const answered = statusOf(stream);
    stream.write(message);
    assert.equal(await answered, code);
    assert.equal(await closed(stream), constants.NGHTTP2_NO_ERROR);
  }
});

test('a unary call that sends more than one message is answered', async (t) => {
  const { server, observed } = await serve(t, new StubEncoder());
  const session = connectRaw(server.port);
  const message = encodeMessage(600);
  for (const more of [message, message.subarray(0, 100), Buffer.alloc(300_000)]) {
    const stream = begin(session, 'Encode');
    const answered = statusOf(stream);
    stream.end(Buffer.concat([message, more]));
    assert.equal(await answered, status.OK);
    await closed(stream);
  }
  assert.equal(observed.length, 3);
});

test('a stream that ends in the middle of a message still gets its status', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const session = connectRaw(server.port);
  for (let turn = 0; turn < 20; turn++) {
    const stream = begin(session, 'StreamEncode');
    const answered = statusOf(stream);
    // No id: the stream ends with what is on its way still to come.
    stream.write(Buffer.concat([streamMessage('', 10), streamMessage('b', 5000).subarray(0, 3000)]));
    assert.equal(await answered, status.INVALID_ARGUMENT);
  }
});

test('reflection stops reading while its answers are not read', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const stream = begin(connectRaw(server.port, 0), reflection);
  const symbol = Buffer.from(service);
  const asked = Buffer.concat([Buffer.of(0x22, symbol.byteLength), symbol]);
  const question = Buffer.concat([prefix(asked.byteLength), asked]);
  const questions = Buffer.concat(Array.from({ length: 1000 }, () => question));
  let taken = 0;
  const send = (): void => {
    while (taken < 2 ** 23 && stream.write(questions)) taken += questions.byteLength;
  };
  stream.on('drain', send);
  send();
  // Nothing more is taken once the windows are full.
  await settled(() => taken);
  assert.ok(taken < 2 ** 22, String(taken));
});

test('a client that does not read its answer does not keep its image in memory, or room for it', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const sent: WeakRef<ArrayBufferLike>[] = [];
  /** Keeps of the images only what does not keep them. */
  class ForgetfulEncoder extends StubEncoder {
    override async encode(request: EncodeRequest): Promise<EncodeAnswer> {
      for (const image of request.images)
        if (image.kind === 'file') sent.push(new WeakRef(image.bytes.buffer));
      return await super.encode({ ...request, images: [{ kind: 'file', bytes: new Uint8Array(1) }] });
    }
  }
  const encoder = new ForgetfulEncoder({ channels: 1152 });
  // For one at a time: the second is admitted although nobody reads the first's answer.
  const { server } = await serve(t, encoder, {}, { messageBudget: budgetOf(101_000) });
  const session = connectRaw(server.port, 0);
  begin(session, 'Encode').end(encodeMessage(100_000));
  begin(session, 'StreamEncode').end(streamMessage('a', 100_000));
  await until(() => sent.length === 2);
  await until(() => {
    collect();
    return sent.every((ref) => ref.deref() === undefined);
  });
});

test('a drain refuses calls that wait for room, or whose message has not arrived', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, client, observed } = await serve(t, encoder, {}, { messageBudget: budgetOf(100_000) });
  const underWay = client(service).call('Encode', file);
  await encoder.arrival.passed();
  const session = connectRaw(server.port);
  const half: ClientHttp2Stream[] = [healthCheck, 'Encode'].map((method) => begin(session, method));
  for (const call of half) call.write(prefix(10));
  const waiting = begin(session, 'Encode').end(encodeMessage(99_990));
  const statuses = [...half, waiting].map(statusOf);
  await until(() => server.underWay === 3);
  const drained = server.drain();
  assert.deepEqual(await Promise.all(statuses), [14, 14, 14]);
  assert.deepEqual(
    observed.map(({ code }) => code),
    ['unavailable', 'unavailable'],
  );
  encoder.gate.open();
  assert.equal((await underWay).error, undefined);
  await drained;
});

test('a request is logged and served under the name of its key', async (t) => {
  const ada = { ...anyone, name: 'ada' };
  const encoder = new StubEncoder();
  const { server, lines } = await serve(t, encoder, {}, { authenticate: () => ada });
  assert.equal(await statusOf(begin(connectRaw(server.port), 'Encode').end(encodeMessage(10))), 0);
  await until(() => lines.length === 1);
  assert.equal(lines[0]?.fields.caller, 'ada');
  assert.equal(encoder.requests[0]?.terms?.caller, ada);
});
