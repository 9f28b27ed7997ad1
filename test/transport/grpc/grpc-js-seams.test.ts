// What the service uses of grpc-js that grpc-js does not document. If a new version changes it, these tests say what.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { Server, ServerCredentials, ServerInterceptingCall } from '@grpc/grpc-js';
import { bytesField, GatheredMessage } from '../../../src/transport/grpc/gathered-message.ts';
import { begin, connectRaw, encodeMessage, prefix, statusOf } from './raw-calls.ts';
import { serve } from './stub-server.ts';
import { StubEncoder } from '../../support/stub-encoder.ts';
import { until } from '../../support/until.ts';

const path = '/test.Test/Call';

test("grpc-js's private http2Servers are the servers that listen: their limits and their stream event hold", async (t) => {
  const { server } = await serve(t, new StubEncoder(), { maxConnections: 1, streamWindowBytes: 70_000 });
  const first = connectRaw(server.port);
  const [settings] = (await once(first, 'remoteSettings')) as [{ initialWindowSize: number }];
  assert.equal(settings.initialWindowSize, 70_000);
  assert.equal(await statusOf(begin(first, 'Encode').end(encodeMessage(10))), 0);
  const second: ClientHttp2Session = connect(`http://127.0.0.1:${server.port}`);
  second.on('error', () => undefined);
  await once(second, 'close');
});

test('grpc-js reads a call by data events that a listener ahead sees first, and resumes only in startRead', async (t) => {
  const seen: string[] = [];
  const server = new Server({
    interceptors: [
      (_, next) =>
        new ServerInterceptingCall(next, {
          start: (start) =>
            start({
              onReceiveMessage: (message, deliver) => {
                seen.push('message');
                deliver(message);
              },
            }),
        }),
    ],
  });
  const same = (bytes: Buffer): Buffer => bytes;
  const pieces = new GatheredMessage(bytesField(1, [new Uint8Array([1, 2]), new Uint8Array([3])]));
  server.addService(
    {
      Call: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseDeserialize: same,
        // The other seam: grpc-js sends what has `byteLength` and `copy` as it would a Buffer.
        responseSerialize: () => pieces as unknown as Buffer,
      },
    },
    { Call: (_: unknown, callback: (error: null, value: Buffer) => void) => callback(null, Buffer.alloc(0)) },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  t.after(() => server.forceShutdown());
  const streams: ServerHttp2Stream[] = [];
  for (const listener of server['http2Servers'].keys())
    listener.prependListener('stream', (stream: ServerHttp2Stream) => {
      streams.push(stream);
      stream.prependListener('data', (chunk: Buffer) => {
        seen.push(`${chunk.byteLength} bytes`);
        if (seen.length === 1) stream.pause();
      });
    });
  const session = connectRaw(port);
  const call = begin(session, path);
  const answer: Buffer[] = [];
  call.on('data', (bytes: Buffer) => answer.push(bytes));
  const answered = statusOf(call);
  call.write(Buffer.concat([prefix(30), Buffer.alloc(10)]));
  await until(() => seen.length === 1);
  call.end(Buffer.alloc(20));
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => session.ping(resolve));
  assert.deepEqual(seen, ['15 bytes'], 'it stays paused');
  streams[0]!.resume();
  assert.equal(await answered, 0);
  assert.deepEqual(seen, ['15 bytes', '20 bytes', 'message']);
  assert.deepEqual(Buffer.concat(answer), Buffer.of(0, 0, 0, 0, 5, 10, 3, 1, 2, 3));
});
