import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { ByteRoom } from '../../../src/admission/byte-budget.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import type { EncodeAnswer, EncodeRequest } from '../../../src/encoding/request.ts';
import { varint } from '../../../src/model/import/varint.ts';
import { Gate } from '../../support/gate.ts';
import { until } from '../../support/until.ts';
import { StreamCaller } from '../../support/stream-caller.ts';
import { StubEncoder } from '../../support/stub-encoder.ts';
import { serve, service } from './stub-server.ts';

const roomOf = (maxBytes: number) =>
  new ByteRoom({ maxBytes, full: () => new ServiceError('overloaded', 'No room.') });

/** Connects without grpc-js, which sends no half messages. */
function connectRaw(t: TestContext, port: number, initialWindowSize?: number): ClientHttp2Session {
  const settings = initialWindowSize === undefined ? {} : { settings: { initialWindowSize } };
  const session = connect(`http://127.0.0.1:${port}`, settings);
  // A server that drains resets it.
  session.on('error', () => undefined);
  t.after(() => session.destroy());
  return session;
}

function begin(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers);
  stream.on('error', () => undefined);
  return stream.resume();
}

const head = (sizeBytes: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(sizeBytes, 1);
  return bytes;
};

/** The status that a call ends with, in its headers or after them. */
async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return await new Promise((resolve) => {
    const look = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', look).on('trailers', look);
  });
}

test('a message that finds no room is refused before it arrives', async (t) => {
  const encoder = new StubEncoder();
  const room = roomOf(1000);
  const { server, lines } = await serve(t, encoder, {}, (sizeBytes) => room.admit(sizeBytes));
  const stream = begin(connectRaw(t, server.port), `/${service}/Encode`);
  stream.write(head(5_000_000));
  stream.write(Buffer.alloc(600));
  assert.equal(await statusOf(stream), status.RESOURCE_EXHAUSTED);
  assert.equal(room.heldBytes, 0);
  assert.equal(encoder.requests.length, 0);
  assert.deepEqual([lines[0]?.fields.code, lines[0]?.fields.endpoint], ['overloaded', 'encode']);
});

test('a streamed message that finds no room is refused by its id, and the stream goes on', async (t) => {
  const room = roomOf(1000);
  const { client } = await serve(t, new StubEncoder(), {}, (sizeBytes) => room.admit(sizeBytes));
  const stream = new StreamCaller(client(service));
  const large = { image: { file: Buffer.alloc(200_000, 1) } };
  stream.send('größe', { encode: large });
  assert.equal((await stream.failure('größe')).reason, 'overloaded');
  stream.send('after', { encode: { image: { file: Buffer.from('small') } } });
  await stream.answer('after');
  assert.equal(room.heldBytes, 0);
});

test('room is held from when a message begins, and given back when its connection ends', async (t) => {
  const room = roomOf(1000);
  const { server } = await serve(t, new StubEncoder(), {}, (sizeBytes) => room.admit(sizeBytes));
  const session = connectRaw(t, server.port);
  const stream = begin(session, `/${service}/StreamEncode`);
  for (const byte of head(900)) stream.write(Buffer.of(byte));
  while (room.heldBytes === 0) await nextTurn();
  assert.equal(room.heldBytes, 900);
  session.destroy();
  while (room.heldBytes > 0) await nextTurn();
});

test('a message that does not arrive in time ends its call, and a stream may be silent', async (t) => {
  const { server, lines } = await serve(t, new StubEncoder(), { arriveMs: 100 });
  const session = connectRaw(t, server.port);
  const silent = begin(session, `/${service}/StreamEncode`);
  const calls = [begin(session, `/${service}/Encode`), begin(session, `/${service}/Encode`)];
  calls[1]!.write(head(100));
  calls[1]!.write(Buffer.alloc(50));
  const half = begin(session, `/${service}/StreamEncode`);
  half.write(head(100).subarray(0, 3));
  for (const call of [...calls, half]) assert.equal(await statusOf(call), status.DEADLINE_EXCEEDED);
  assert.equal(silent.closed, false);
  assert.equal(lines.filter(({ fields }) => fields.code === 'deadline_exceeded').length, 3);
});

test('a stranger sends no large message to what needs no key, and waits for no answer to half of one', async (t) => {
  const { server } = await serve(t, new StubEncoder(), { arriveMs: 100 });
  const session = connectRaw(t, server.port);
  const large = begin(session, '/grpc.health.v1.Health/Check');
  large.write(head(100_000));
  await new Promise((resolve) => large.once('close', resolve));
  const half = begin(session, '/grpc.health.v1.Health/Check');
  half.write(head(10));
  await statusOf(half);
});

test('a drain does not wait for messages that have not arrived', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const session = connectRaw(t, server.port);
  const calls = ['/grpc.health.v1.Health/Check', `/${service}/Encode`].map((path) => begin(session, path));
  for (const call of calls) call.write(head(10));
  const statuses = calls.map(statusOf);
  await once(session, 'connect');
  const pinged = await new Promise<Error | null>((resolve) => session.ping(resolve));
  assert.equal(pinged, null, 'what was sent before has come');
  await Promise.all([server.drain(), ...statuses]);
  assert.equal(await statuses[1], status.UNAVAILABLE);
});

test('a message in pieces of any size is the same message', async (t) => {
  const encoder = new StubEncoder();
  const { server } = await serve(t, encoder);
  const session = connectRaw(t, server.port);
  const file = Buffer.from('an image of some bytes');
  const image = Buffer.concat([Buffer.of(0x0a, file.byteLength), file]);
  const message = Buffer.concat([Buffer.of(0x0a, image.byteLength), image]);
  const framed = Buffer.concat([head(message.byteLength), message]);
  for (let size = 1; size <= framed.byteLength; size += 3) {
    const stream = begin(session, `/${service}/Encode`);
    const ended = statusOf(stream);
    for (let from = 0; from < framed.byteLength; from += size) {
      stream.write(framed.subarray(from, from + size));
      await nextTurn();
    }
    stream.end();
    assert.equal(await ended, status.OK);
  }
  for (const { images } of encoder.requests) {
    assert.deepEqual(images[0]?.kind === 'file' && Buffer.from(images[0].bytes), file);
  }
});

test('a stream whose last message says that it is larger than any, and ends, is answered, and closes', async (t) => {
  const { server, lines } = await serve(t, new StubEncoder(), { maxStreamRequests: 1 });
  const session = connectRaw(t, server.port);
  const messages = ['a', 'b', 'c', 'd'].map((id) => {
    const message = Buffer.concat([
      Buffer.of(0x0a, 1),
      Buffer.from(id),
      Buffer.of(0x12, 5, 0x0a, 3, 0x0a, 1, 0x55),
    ]);
    return Buffer.concat([head(message.byteLength), message]);
  });
  const sent = Buffer.concat([...messages, head(2 ** 30), Buffer.alloc(2000)]);
  // A deadline that has passed ends the call before its messages are read.
  for (const timeout of ['1n', '1M']) {
    const headers = {
      ':path': `/${service}/StreamEncode`,
      'content-type': 'application/grpc',
      'grpc-timeout': timeout,
    };
    const stream = session.request({ ':method': 'POST', te: 'trailers', ...headers });
    stream.on('error', () => undefined).resume();
    lines.length = 0;
    stream.end(sent);
    await new Promise((resolve) => stream.once('close', resolve));
  }
  assert.deepEqual(
    lines.map(({ fields }) => fields.code),
    ['ok', 'ok', 'ok', 'ok', 'too_large'],
  );
});

test('a streamed message over the limit is refused by its id, and the stream goes on', async (t) => {
  const { client } = await serve(t, new StubEncoder(), { maxRequestBytes: 100_000 });
  const stream = new StreamCaller(client(service));
  stream.send('large', { encode: { image: { file: Buffer.alloc(200_000) } } });
  stream.send('small', { encode: { image: { file: Buffer.alloc(10) } } });
  assert.match(
    (await stream.failure('large')).message,
    /^The message has 200,[0-9]+ bytes; at most 100,000 are taken\.$/,
  );
  await stream.answer('small');
  stream.halfClose();
  assert.equal((await stream.status).code, status.OK);
});

test('a message over the limit of a health check ends its call', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const stream = begin(connectRaw(t, server.port), '/grpc.health.v1.Health/Check');
  stream.write(head(4097));
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test('who does not read an answer holds nothing of what it sent', async (t) => {
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
  const { server } = await serve(t, encoder);
  const session = connectRaw(t, server.port, 0);
  const file = Buffer.alloc(100_000, 7);
  const field = (tag: number, bytes: Buffer) => {
    return Buffer.concat([Buffer.of(tag), varint(bytes.byteLength), bytes]);
  };
  const request = field(0x0a, field(0x0a, file));
  const streamed = Buffer.concat([Buffer.of(0x0a, 1, 0x61), field(0x12, request)]);
  for (const [path, message] of [
    ['Encode', request],
    ['StreamEncode', streamed],
  ] as const) {
    begin(session, `/${service}/${path}`).end(Buffer.concat([head(message.byteLength), message]));
  }
  while (sent.length < 2) await nextTurn();
  while (sent.some((ref) => ref.deref() !== undefined)) {
    await nextTurn();
    collect();
  }
});

test('a unary call that sends more after a message that was refused is answered, and harms nobody', async (t) => {
  const full = () => {
    throw new ServiceError('overloaded', 'No room.');
  };
  const { server, lines } = await serve(t, new StubEncoder(), {}, full);
  const session = connectRaw(t, server.port);
  const message = Buffer.concat([head(600), Buffer.alloc(600)]);
  for (const bytes of [
    Buffer.concat([message, message]),
    Buffer.concat([message, message.subarray(0, 100)]),
  ]) {
    const stream = begin(session, `/${service}/Encode`);
    const answered = statusOf(stream);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.end(bytes);
    assert.equal(await answered, status.RESOURCE_EXHAUSTED);
    await closed;
  }
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.code]),
    [
      ['info', 'overloaded'],
      ['info', 'overloaded'],
    ],
  );
});

/** A message of `sizeBytes` zeros in a file, some thousandth of that on the wire. */
function compressed(sizeBytes: number): Buffer {
  const field = (tag: number, bytes: Buffer) =>
    Buffer.concat([Buffer.of(tag), varint(bytes.byteLength), bytes]);
  const message = gzipSync(field(0x0a, field(0x0a, Buffer.alloc(sizeBytes))));
  const start = head(message.byteLength);
  start[0] = 1;
  return Buffer.concat([start, message]);
}

test('a compressed message takes the room of the largest until it is known how long it is', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const room = roomOf(2_500_000);
  const limits = { maxRequestBytes: 1_000_000 };
  const { server, observations } = await serve(t, encoder, limits, (sizeBytes) => room.admit(sizeBytes));
  const session = connectRaw(t, server.port);
  const headers = {
    ':path': `/${service}/Encode`,
    'content-type': 'application/grpc',
    'grpc-encoding': 'gzip',
  };
  const answered = Promise.all(
    [900_000, 900_000, 900_000].map((sizeBytes) => {
      const stream = session.request({ ':method': 'POST', te: 'trailers', ...headers });
      stream.on('error', () => undefined).resume();
      stream.end(compressed(sizeBytes));
      return statusOf(stream);
    }),
  );
  await until(() => encoder.requests.length === 2);
  // For the third there is room on the wire alone.
  assert.ok(room.heldBytes > 1_800_000 && room.heldBytes < 1_801_000, String(room.heldBytes));
  encoder.gate.open();
  assert.deepEqual(
    (await answered).toSorted((a, b) => a - b),
    [status.OK, status.OK, status.RESOURCE_EXHAUSTED],
  );
  if (room.heldBytes > 0) await once(observations, 'request');
  assert.equal(room.heldBytes, 0);
});

test('what needs no key takes nothing that is compressed', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const stream = begin(connectRaw(t, server.port), '/grpc.health.v1.Health/Check');
  stream.end(compressed(1_000_000));
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

/** A message of StreamEncode that asks for the tokens of a file of `sizeBytes`. */
function messageOf(id: string, sizeBytes: number): Buffer {
  const field = (tag: number, bytes: Buffer) =>
    Buffer.concat([Buffer.of(tag), varint(bytes.byteLength), bytes]);
  const file = field(0x0a, field(0x0a, Buffer.alloc(sizeBytes, 7)));
  const message = Buffer.concat([field(0x0a, Buffer.from(id)), field(0x12, file)]);
  return Buffer.concat([head(message.byteLength), message]);
}

function beginStream(session: ClientHttp2Session): ClientHttp2Stream {
  return begin(session, `/${service}/StreamEncode`);
}

for (const roomBytes of [1e9, 400_000])
  test(`reads streams to their end whose messages come all at once, with ${roomBytes} bytes of room`, async (t) => {
    const room = roomOf(roomBytes);
    const { server } = await serve(t, new StubEncoder(), {}, (sizeBytes) => room.admit(sizeBytes));
    const session = connectRaw(t, server.port);
    const messages = fc.array(fc.oneof(fc.nat(300), fc.nat(120_000)), { minLength: 2, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(messages, fc.boolean(), async (sizes, together) => {
        const stream = beginStream(session);
        const answered = statusOf(stream);
        const sent = sizes.map((sizeBytes, index) => messageOf(`i${index}`, sizeBytes));
        for (const bytes of together ? [Buffer.concat(sent)] : sent) stream.write(bytes);
        stream.end();
        assert.equal(await answered, status.OK);
      }),
      { numRuns: 40, endOnFailure: true },
    );
    await until(() => room.heldBytes === 0);
  });

test('a message that waits since the service does not read is in time', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const limits = { arriveMs: 100, maxStreamRequests: 1 };
  const { server, lines } = await serve(t, encoder, limits);
  const stream = beginStream(connectRaw(t, server.port));
  const answered = statusOf(stream);
  stream.end(Buffer.concat([messageOf('a', 10), messageOf('b', 500_000), messageOf('c', 10)]));
  await encoder.arrival.passed();
  // Longer than a message may take to arrive.
  await new Promise((resolve) => setTimeout(resolve, 200));
  encoder.gate.open();
  assert.equal(await answered, status.OK);
  assert.deepEqual(
    lines.map(({ fields }) => fields.code),
    ['ok', 'ok', 'ok'],
  );
});

test('a unary call is answered whose client does not end its side, and its stream ends', async (t) => {
  const room = roomOf(1e6);
  const { server } = await serve(t, new StubEncoder(), {}, (sizeBytes) => room.admit(sizeBytes));
  const session = connectRaw(t, server.port);
  for (const path of [`/${service}/Encode`, '/grpc.health.v1.Health/Check', '/grpc.nothing/Nothing']) {
    const stream = begin(session, path);
    const answered = statusOf(stream);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    const message = path.endsWith('Encode') ? Buffer.of(0x0a, 3, 0x0a, 1, 0x55) : Buffer.alloc(0);
    stream.write(Buffer.concat([head(message.byteLength), message]));
    assert.equal(await answered, path.endsWith('Nothing') ? status.UNIMPLEMENTED : status.OK);
    await closed;
    assert.equal(room.heldBytes, 0);
  }
});

test('a late message of a stream is refused by its id, and the stream goes on', async (t) => {
  const { server, lines } = await serve(t, new StubEncoder(), { arriveMs: 50 });
  const stream = beginStream(connectRaw(t, server.port));
  const answered = statusOf(stream);
  const late = messageOf('late', 5000);
  stream.write(late.subarray(0, 1000));
  await until(() => lines.length === 1);
  assert.deepEqual([lines[0]!.fields.streamed_id, lines[0]!.fields.code], ['late', 'deadline_exceeded']);
  stream.end(Buffer.concat([late.subarray(1000), messageOf('next', 10)]));
  assert.equal(await answered, status.OK);
  assert.equal(lines[1]?.fields.code, 'ok');
});

test('reflection answers no more than is read', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const session = connectRaw(t, server.port, 0);
  const stream = begin(session, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  const symbol = Buffer.from(service);
  const asked = Buffer.concat([Buffer.of(0x22), varint(symbol.byteLength), symbol]);
  const question = Buffer.concat([head(asked.byteLength), asked]);
  let taken = 0;
  const send = (): void => {
    while (taken < 2 ** 23 && stream.write(Buffer.concat(Array.from({ length: 1000 }, () => question)))) {
      taken += 1000 * question.byteLength;
    }
  };
  stream.on('drain', send);
  send();
  // What is not read is not taken any more: the windows fill, and nothing drains.
  let before = -1;
  while (before !== taken) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(taken < 2 ** 22, String(taken));
});

test('a stream that is ended in the middle of a message tells its status first', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const session = connectRaw(t, server.port);
  for (let turn = 0; turn < 20; turn++) {
    const stream = beginStream(session);
    const answered = statusOf(stream);
    // No id: the stream ends with what is on its way still to come.
    stream.write(Buffer.concat([messageOf('', 10), messageOf('b', 5000).subarray(0, 3000)]));
    assert.equal(await answered, status.INVALID_ARGUMENT);
  }
});
