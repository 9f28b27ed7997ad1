import assert from 'node:assert/strict';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { EncodeAnswer, EncodeRequest } from '../../../src/encoding/request.ts';
import { StubEncoder } from '../../support/stub-encoder.ts';
import { serve, service } from './stub-server.ts';

const request = Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x0a, 1, 0x55]);

/** A call whose answer of 2.4 MB does not fit the window, of which the client has read nothing yet. */
async function unread(
  t: TestContext,
  port: number,
): Promise<{ readonly session: ClientHttp2Session; readonly stream: ClientHttp2Stream }> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${service}/Encode`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined).pause();
  stream.end(request);
  await once(stream, 'response');
  return { session, stream };
}

test('an answer is reported once its client has read it', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  const { server, observed, observations } = await serve(t, encoder);
  const { stream } = await unread(t, server.port);
  assert.deepEqual([server.underWay, observed.length], [1, 0]);
  stream.resume();
  await once(observations, 'request');
  assert.deepEqual([server.underWay, observed[0]?.code], [0, 'ok']);
});

test('an unread answer is in memory once, as the bytes that grpc-js sends', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const tokens: WeakRef<ArrayBufferLike>[] = [];
  class WatchedEncoder extends StubEncoder {
    override async encode(asked: EncodeRequest): Promise<EncodeAnswer> {
      const answer = await super.encode(asked);
      for (const { buffer } of answer.tensor.parts) tokens.push(new WeakRef(buffer));
      return answer;
    }
  }
  const { server } = await serve(t, new WatchedEncoder({ channels: 1152 }));
  await unread(t, server.port);
  for (let turn = 0; turn < 20 && tokens.some((ref) => ref.deref() !== undefined); turn++) {
    await nextTurn();
    collect();
  }
  assert.deepEqual(
    tokens.map((ref) => ref.deref()),
    [undefined],
  );
});

test('a client that cancels or disconnects in the middle of its answer is reported as cancelled', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  const { server, observed, observations } = await serve(t, encoder);
  const cancelling = await unread(t, server.port);
  cancelling.stream.close(constants.NGHTTP2_CANCEL);
  await once(observations, 'request');
  const leaving = await unread(t, server.port);
  leaving.session.destroy();
  await once(observations, 'request');
  assert.deepEqual(
    observed.map(({ code }) => code),
    ['cancelled', 'cancelled'],
  );
  assert.equal(server.underWay, 0);
});

test('a client that reads too slowly is reset, and reported as cancelled', async (t) => {
  const { server, observed, observations } = await serve(t, new StubEncoder({ channels: 1152 }), {
    reading: { graceMs: 20, bytesPerSecond: 2 ** 30 },
  });
  const { stream } = await unread(t, server.port);
  await once(observations, 'request');
  assert.equal(observed[0]?.code, 'cancelled');
  stream.resume();
  await once(stream, 'close');
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
});
