import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { StopSignal } from '../../src/errors/abort.ts';
import { Budget } from '../../src/admission/budget.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { EncodeAnswer, EncodeRequest } from '../../src/encoding/request.ts';
import { until } from '../support/until.ts';
import { readSafetensorsImages } from '../tokens/read-token-file.ts';
import { Gate } from '../support/gate.ts';
import { startStubServer, stubTokens } from '../transport/http/stub-server.ts';

/** What the stub makes of each image, by its text. */
function byText(
  texts: Readonly<Record<string, () => EncodeAnswer | Promise<EncodeAnswer>>>,
): (request: EncodeRequest) => EncodeAnswer | Promise<EncodeAnswer> {
  return (request) => {
    const [image] = request.images;
    const text = image?.kind === 'file' ? Buffer.from(image.bytes).toString() : '';
    return texts[text]?.() ?? stubTokens(request);
  };
}

const noImage = (): never => {
  throw new ServiceError('invalid_argument', 'This is no image.');
};

function list(...texts: readonly string[]): {
  method: 'POST';
  headers: Record<string, string>;
  body: string;
} {
  const images = texts.map((text) => Buffer.from(text).toString('base64'));
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ images }),
  };
}

test('answers several images as one safetensors file, a failure in its place', async () => {
  const { url, encoder } = await startStubServer();
  encoder.answer = byText({ broken: noImage });
  for (const path of ['/v1/encode', '/v1/teacher-encode', '/v1/anyres-encode']) {
    const answer = await fetch(`${url}${path}?format=safetensors`, list('a', 'broken', 'b'));
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('server-timing') ?? '', /^decode;dur=1\.00, /);
    const { tensors, metadata } = readSafetensorsImages(Buffer.from(await answer.arrayBuffer()));
    assert.deepEqual(Object.keys(tensors), ['tokens_0', 'tokens_2']);
    assert.deepEqual(tensors['tokens_2']?.shape, [4, 3]);
    const [first, second, third] = JSON.parse(metadata['tokens_meta'] ?? '');
    assert.deepEqual([first.images, second, third.images.length], [[{ width: 640, height: 480 }], null, 1]);
    assert.deepEqual(JSON.parse(metadata['errors'] ?? ''), [
      { index: 1, code: 'invalid_argument', detail: 'This is no image.' },
    ]);
  }
});

test('answers a list of one as a list, in safetensors too', async () => {
  const { url } = await startStubServer();
  const answer = await fetch(`${url}/encode?format=safetensors`, list('a'));
  const { tensors } = readSafetensorsImages(Buffer.from(await answer.arrayBuffer()));
  assert.deepEqual(Object.keys(tensors), ['tokens_0']);
});

test('says of an image that found no room when it may come again', async () => {
  const { url, encoder } = await startStubServer();
  encoder.answer = byText({
    full: () => {
      throw new ServiceError('overloaded', 'No room.', { retryAfterMs: 1500.5 });
    },
  });
  const failure = { code: 'overloaded', detail: 'No room.', retry_after_ms: 1501 };
  const file = await fetch(`${url}/encode?format=safetensors`, list('a', 'full'));
  const { metadata } = readSafetensorsImages(Buffer.from(await file.arrayBuffer()));
  assert.deepEqual(JSON.parse(metadata['errors'] ?? ''), [{ index: 1, ...failure }]);
  const text = await (await fetch(`${url}/encode?format=jsonl`, list('a', 'full'))).text();
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.find(({ index }) => index === 1),
    { index: 1, error: failure },
  );
});

test('fails a safetensors request of which no image could be encoded, with the first failure', async () => {
  const { url, encoder } = await startStubServer();
  encoder.answer = () => {
    throw new ServiceError('overloaded', 'No room.', { retryAfterMs: 1500 });
  };
  const answer = await fetch(`${url}/encode?format=safetensors`, list('a', 'b'));
  assert.deepEqual([answer.status, answer.headers.get('retry-after-ms')], [429, '1500']);
  assert.equal(((await answer.json()) as { detail: string }).detail, 'images[0]: No room.');
});

test('counts a request for lines as failed if all of its images fail', async () => {
  const { url, encoder, metrics } = await startStubServer();
  encoder.answer = byText({ broken: noImage });
  for (const texts of [['broken'], ['broken', 'broken'], ['a', 'broken']]) {
    const answer = await fetch(`${url}/encode?format=jsonl`, list(...texts));
    assert.equal((await answer.text()).trimEnd().split('\n').length, texts.length);
  }
  const counted = (code: string, times: number) =>
    `siglip_hd_requests_total{transport="http",endpoint="encode",code="${code}"} ${times}\n`;
  await until(async () => (await metrics.expose()).text.includes(counted('ok', 1)));
  assert.ok((await metrics.expose()).text.includes(counted('invalid_argument', 2)));
});

test('hands several images to the encoder together where one array is the answer', async () => {
  const { url, encoder } = await startStubServer();
  for (const format of ['npy', 'raw', 'json']) {
    encoder.requests.length = 0;
    const answer = await fetch(`${url}/v1/teacher-encode?format=${format}`, list('a', 'b'));
    await answer.arrayBuffer();
    assert.deepEqual(
      encoder.requests.map(({ images, stacked }) => [images.length, stacked]),
      [[2, true]],
    );
  }
});

test('refuses what is wrong for every image before it asks for the body', async () => {
  const { url, encoder } = await startStubServer();
  encoder.refuse = () => {
    throw new ServiceError('not_found', 'No such model.');
  };
  for (const format of ['safetensors', 'jsonl']) {
    const answer = await fetch(`${url}/encode?format=${format}&model=other`, list('a', 'b'));
    assert.equal(answer.status, 404);
  }
  assert.equal(encoder.requests.length, 0);
});

/** Posts a list for lines, and gives the answer as soon as its headers are there. */
async function postForLines(url: string, texts: readonly string[], query = ''): Promise<IncomingMessage> {
  const { headers, body } = list(...texts);
  const request = httpRequest(`${url}/v1/encode?format=jsonl${query}`, { method: 'POST', headers });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

test('writes a line for each image as it finishes, failures among them', async () => {
  const { url, encoder } = await startStubServer();
  const [slow, second] = [new Gate(), new Gate()];
  const tokens = stubTokens({
    images: [{ kind: 'file', bytes: new Uint8Array(1) }],
    stacked: false,
    recipe: { recipe: 'encode' },
    options: { dtype: 'float16', exif: 'apply' },
    signal: AbortSignal.any([]),
  });
  encoder.answer = byText({
    slow: () => slow.passed().then(() => tokens),
    broken: () => second.passed().then(noImage),
  });
  const response = await postForLines(url, ['slow', 'quick', 'broken']);
  assert.deepEqual([response.statusCode, response.headers['content-type']], [200, 'application/jsonl']);
  const got: Record<string, unknown>[] = [];
  for await (const line of createInterface(response)) {
    got.push(JSON.parse(line));
    (got.length === 1 ? second : slow).open();
  }
  assert.deepEqual(
    got.map(({ index }) => index),
    [1, 2, 0],
  );
  assert.deepEqual(got[1], { index: 2, error: { code: 'invalid_argument', detail: 'This is no image.' } });
  const { metadata, data, ...fields } = got[2] as { metadata: { shape: number[] }; data: string };
  assert.deepEqual(fields, { index: 0, shape: [4, 3], dtype: 'float16', encoding: 'base64' });
  assert.deepEqual(metadata.shape, [4, 3]);
  assert.deepEqual(Buffer.from(data, 'base64'), Buffer.concat(tokens.tensor.parts));
});

test('writes lines where Accept asks for them, of one image and of bfloat16 too', async () => {
  const { url } = await startStubServer();
  for (const accept of ['application/jsonl', 'application/x-ndjson']) {
    const init = { method: 'POST', body: 'image', headers: { accept } };
    const answer = await fetch(`${url}/v1/anyres-encode?dtype=bfloat16`, init);
    assert.equal(answer.headers.get('content-type'), 'application/jsonl');
    const lines = (await answer.text()).trimEnd().split('\n');
    assert.equal(lines.length, 1);
    assert.deepEqual([JSON.parse(lines[0]!).index, JSON.parse(lines[0]!).dtype], [0, 'bfloat16']);
  }
});

/** Sends the images on a connection of its own and reads nothing of the answer. */
function postUnread(port: number, query: string, texts: readonly string[]): Socket {
  const { body } = list(...texts);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined).pause();
  socket.write(
    `POST /encode?${query} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

test('waits for an image longer than a client may leave its answer unread', async () => {
  const { server, url, encoder } = await startStubServer({
    limits: { readGraceMs: 1000, readBytesPerSecond: 2 ** 30 },
  });
  const dropped = new Gate();
  encoder.answer = (request) => {
    if (request.options.dtype === 'float16') {
      const isSlow = encoder.requests.length === 2;
      return isSlow ? dropped.passed().then(() => stubTokens(request)) : stubTokens(request);
    }
    request.signal.addEventListener('abort', () => dropped.open());
    const answer = stubTokens(request);
    return { ...answer, tensor: { ...answer.tensor, parts: [new Uint8Array(32 * 2 ** 20)] } };
  };
  const response = await postForLines(url, ['quick', 'slow']);
  let unread: Socket | undefined;
  let lines = 0;
  for await (const line of createInterface(response)) {
    assert.ok(line.endsWith('}'));
    lines += 1;
    unread ??= postUnread(server.port, 'format=jsonl&dtype=float32', ['other']);
  }
  assert.equal(lines, 2);
  unread?.destroy();
});

test('stops the images that are left when the client of its lines leaves', async () => {
  const budget = new Budget({ limit: 100, full: () => new ServiceError('overloaded', 'No room.') });
  const limits = { maxBodyBytes: 100 };
  const { server, url, encoder, metrics } = await startStubServer({ budget, limits });
  const signals: StopSignal[] = [];
  encoder.answer = (request) => {
    signals.push(request.signal);
    if (signals.length === 1) return stubTokens(request);
    return new Promise((_resolve, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason));
    });
  };
  const response = await postForLines(url, ['a', 'b', 'c']);
  await once(response, 'data');
  const full = await fetch(`${url}/encode`, { method: 'POST', body: 'x'.repeat(98) });
  assert.equal(full.status, 429, 'the images are held while one of them is encoded');
  response.destroy();
  await until(() => server.underWay === 0);
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, true, true],
  );
  encoder.answer = stubTokens;
  const again = await fetch(`${url}/encode`, { method: 'POST', body: 'x'.repeat(100) });
  assert.equal(again.status, 200);
  assert.match((await metrics.expose()).text, /endpoint="encode",code="cancelled"\} 1\n/);
});

test('makes no more of its lines than the client reads, and drops one that reads none', async () => {
  const { server, encoder } = await startStubServer({
    limits: { readGraceMs: 100, readBytesPerSecond: 2 ** 30 },
  });
  const begun = new Gate();
  let slices = 0;
  encoder.answer = (request) => {
    const answer = stubTokens(request);
    const part = new Uint8Array(2 ** 20);
    const parts = Array.from({ length: 64 }, () => part);
    const counted = {
      ...answer.tensor,
      parts: Object.assign(parts, {
        *[Symbol.iterator]() {
          for (let index = 0; index < parts.length; index += 1) {
            slices += 1;
            begun.open();
            yield part;
          }
        },
      }),
    };
    return { ...answer, tensor: counted };
  };
  const socket = postUnread(server.port, 'format=jsonl', ['a', 'b']);
  await begun.passed();
  await server.drain();
  // Each line's length is asked for once.
  assert.ok(slices < 2 * 64, `${slices} parts were made`);
  socket.destroy();
});
