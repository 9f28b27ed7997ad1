import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Budget } from '../../../src/admission/budget.ts';
import type { EncodeAnswer } from '../../../src/encoding/request.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { until } from '../../support/until.ts';
import { startStubServer, stubTokens } from './stub-server.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Too large for the buffers of a socket whose client does not read. */
const unreadBytes = 32 * 2 ** 20;
const image = 'an image '.repeat(12_000);

function largeAnswer(...request: Parameters<typeof stubTokens>): EncodeAnswer {
  const answer = stubTokens(...request);
  return { ...answer, tensor: { ...answer.tensor, parts: [new Uint8Array(unreadBytes)] } };
}

function isGone(ref: WeakRef<object>): boolean {
  return ref.deref() === undefined;
}

const form = `--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n${image}\r\n--x--\r\n`;
const json = JSON.stringify({ image: Buffer.from(image).toString('base64') });
const envelopes = {
  'of declared length': `Content-Length: ${image.length}\r\n\r\n${image}`,
  'of undeclared length': `Transfer-Encoding: chunked\r\n\r\n${image.length.toString(16)}\r\n${image}\r\n0\r\n\r\n`,
  'in a form': `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
  'in JSON': `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
};

for (const [envelope, sent] of Object.entries(envelopes))
  test(`a client that does not read its answer keeps neither memory nor room for its image ${envelope}`, async () => {
    const images: WeakRef<ArrayBufferLike>[] = [];
    // For one at a time: the second is admitted although nobody reads the first's answer.
    const budget = new Budget({ limit: sent.length, full: () => new ServiceError('overloaded', 'No room.') });
    const limits = { maxBodyBytes: sent.length };
    const { server, encoder } = await startStubServer({ budget, limits });
    encoder.answer = (request) => {
      // The stub keeps its requests.
      encoder.requests.length = 0;
      for (const input of request.images)
        if (input.kind === 'file') images.push(new WeakRef(input.bytes.buffer));
      return largeAnswer(request);
    };
    const sockets: Socket[] = [];
    for (const format of ['npy', 'json', 'jsonl', 'safetensors']) {
      const socket = connect(server.port, '127.0.0.1');
      sockets.push(socket);
      socket.write(`POST /encode?format=${format} HTTP/1.1\r\nHost: a\r\n${sent}`);
      await until(() => images.length === sockets.length);
    }
    await until(() => {
      collect();
      return images.every(isGone);
    });
    assert.equal(server.underWay, sockets.length);
    for (const socket of sockets) socket.destroy();
  });

test('a client that does not read the last line of its answer keeps no earlier line in memory', async () => {
  const { server, encoder } = await startStubServer();
  const tokens: WeakRef<ArrayBufferLike>[] = [];
  encoder.answer = (request) => {
    const sizeBytes = tokens.length === 0 ? 30_000 : unreadBytes;
    const part = new Uint8Array(sizeBytes);
    tokens.push(new WeakRef(part.buffer));
    const answer = stubTokens(request);
    return { ...answer, tensor: { ...answer.tensor, parts: [part] } };
  };
  const images = JSON.stringify({ images: ['YQ==', 'Yg=='] });
  const socket = connect(server.port, '127.0.0.1');
  socket.write(
    `POST /encode?format=jsonl HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${images.length}\r\n\r\n${images}`,
  );
  await until(() => tokens.length === 2);
  await until(() => {
    collect();
    return tokens[0]!.deref() === undefined;
  });
  assert.equal(server.underWay, 1);
  socket.destroy();
});
