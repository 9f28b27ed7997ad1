import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadPixels } from '../../../src/transport/http/request-images.ts';
import { openStubApp, rawExchange, startStubServer } from './stub-server.ts';

/** Stands for the reader of .npy: two pictures of one pixel each. */
const readPixels: ReadPixels = (bytes) => {
  if (Buffer.from(bytes).toString('latin1', 0, 6) !== '\x93NUMPY') return undefined;
  const raster = { width: 1, height: 1, data: new Uint8Array([1, 2, 3]) };
  return { rasters: [raster, raster], stacked: true };
};
const limits = { maxBodyBytes: 200_000, maxImages: 3, lingerMs: 50 };
const { ask, encoder } = await openStubApp({ readPixels, limits });
const overSockets = await startStubServer({ readPixels, limits });
const image = Buffer.from([0xff, 0xd8, 0, 1, 2, 0x0d, 0x0a, 0x22, 0x7b, 0xff]);

async function post(body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> {
  return await ask('/encode', { method: 'POST', headers, ...(body == null ? {} : { body }) });
}

async function refusal(answer: Response): Promise<string> {
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  return `${answer.status} ${code}: ${detail}`;
}

function received(asked = encoder): { files: Buffer[]; stacked: boolean } {
  const request = asked.requests.at(-1);
  assert.ok(request);
  const files = request.images.map((input) => Buffer.from(input.kind === 'file' ? input.bytes : []));
  return { files, stacked: request.stacked };
}

test('takes the body as the image, whatever its content type says', async () => {
  for (const type of [
    'image/jpeg',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'text/plain',
    'x',
  ]) {
    encoder.requests.length = 0;
    const answer = await post(image, { 'content-type': type });
    assert.equal(answer.status, 200, type);
    assert.deepEqual(received(), { files: [image], stacked: false });
  }
});

test('takes a body without a content type, and one that is chunked', async () => {
  const head = 'POST /encode HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  for (const text of [
    `${head}Content-Length: 10\r\n\r\n${image.toString('latin1')}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n4\r\n${image.toString('latin1', 0, 4)}\r\n6\r\n${image.toString('latin1', 4)}\r\n0\r\n\r\n`,
  ]) {
    overSockets.encoder.requests.length = 0;
    assert.match(await rawExchange(overSockets.server.port, Buffer.from(text, 'latin1')), /^HTTP\/1\.1 200/);
    assert.deepEqual(received(overSockets.encoder), { files: [image], stacked: false });
  }
});

test('takes .npy pixels by their magic, in every envelope', async () => {
  const npy = Buffer.from('\x93NUMPY...', 'latin1');
  const form = new FormData();
  form.append('image', new Blob([npy]));
  for (const answer of [
    await post(npy),
    await post(form),
    await post(JSON.stringify({ image: npy.toString('base64') }), { 'content-type': 'application/json' }),
  ]) {
    assert.equal(answer.status, 200);
    const request = encoder.requests.at(-1);
    assert.deepEqual(
      [request?.images.map((input) => input.kind), request?.stacked],
      [['raster', 'raster'], true],
    );
  }
});

test('takes the image parts of a form in order, with or without file names', async () => {
  const others = [Buffer.from('second'), Buffer.alloc(70_000, 'third')];
  const form = new FormData();
  form.append('image', new Blob([image], { type: 'image/jpeg' }), 'a.jpg');
  form.append('image', new Blob([others[0]!]), '');
  form.append('image', new Blob([others[1]!]));
  assert.equal((await post(form)).status, 200);
  assert.deepEqual(received(), { files: [image, ...others], stacked: true });
});

test('takes a form of one image as one image', async () => {
  const form = new FormData();
  form.append('image', 'plain text field');
  assert.equal((await post(form)).status, 200);
  assert.deepEqual(received(), { files: [Buffer.from('plain text field')], stacked: false });
});

test('refuses a form with another part, by name', async () => {
  const form = new FormData();
  form.append('image', new Blob([image]));
  form.append('dtype', 'float32');
  assert.match(await refusal(await post(form)), /^400 invalid_argument: .*"dtype".*query/);
});

test('refuses a form without parts, without a boundary, or cut off', async () => {
  const type = 'multipart/form-data; boundary=x';
  const part = '--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc';
  for (const [body, contentType] of [
    ['--x--\r\n', type],
    ['', type],
    [`${part}\r\n--x--\r\n`, 'multipart/form-data'],
    [part, type],
    [`--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n`, type],
    [`--x\r\n\r\nabc\r\n--x--\r\n`, type],
    [`--x\r\nContent-Disposition: form-data; name="__proto__"\r\n\r\nabc\r\n--x--\r\n`, type],
  ] as const) {
    assert.match(
      await refusal(await post(body, { 'content-type': contentType })),
      /^400 invalid_argument: /,
      body,
    );
  }
});

test('refuses a form with more images than the limit', async () => {
  for (const count of [4, 40]) {
    const form = new FormData();
    for (let i = 0; i < count; i += 1) form.append('image', new Blob([image]));
    assert.match(await refusal(await post(form)), /^413 too_large: /);
  }
});

test('takes JSON with one image, or with a list of even one', async () => {
  const json = { 'content-type': 'application/json; charset=utf-8' };
  const base64 = image.toString('base64');
  assert.equal((await post(JSON.stringify({ image: base64 }), json)).status, 200);
  assert.deepEqual(received(), { files: [image], stacked: false });
  assert.equal((await post(JSON.stringify({ images: [base64] }, null, 2), json)).status, 200);
  assert.deepEqual(received(), { files: [image], stacked: true });
  assert.equal((await post(JSON.stringify({ images: [base64, 'YQ=='] }), json)).status, 200);
  assert.deepEqual(received(), { files: [image, Buffer.from('a')], stacked: true });
});

test('refuses JSON that is broken, or not base64, with a sentence', async () => {
  const cases: [string, RegExp][] = [
    ['', /body is empty/],
    ['[]', /not an object/],
    ['{}', /has no image/],
    ['null', /not an object/],
    ['{"image":5}', /image must be a string/],
    ['{"image":""}', /image is empty/],
    ['{"image":"YQ"', /not valid JSON/],
    ['{"image":"YQ', /not valid JSON: Unterminated string/],
    ['{"image":"YQ=="} x', /not valid JSON: Unexpected/],
    ['{"image":"Y*=="}', /image is not valid base64: "\*" is in it/],
    ['{"image":"YQ=Q"}', /image is not valid base64: "=" is in it/],
    ['{"image":"Y"}', /image is not valid base64: a part is missing/],
    ['{"image":"YQ="}', /image is not valid base64: a part is missing/],
    ['{"image":"a\\ud800b="}', /"\\ud800" is in it/],
    ['{"image":"iVBORw0 KGgo"}', /a "\+" becomes a space/],
    ['{"image":"YWJj\nYWJj"}', /line break.*base64 -w0/],
    ['{"image":"data:image/svg+xml,<svg/>"}', /data: URL without ";base64,"/],
    ['{"image":"image/png;base64,iVBORw0KGgo="}', /is a data: URL without its "data:"\.$/],
    ['{"image":"https://example.com/a.png"}', /is a URL, and none is fetched/],
    ['{"image":"photos/a.JPG"}', /name of a file/],
    ['{"images":[]}', /images is empty/],
    ['{"images":["YQ==", "?"]}', /images\[1\] is not valid base64/],
    ['{"images":"YQ=="}', /images must be a list/],
    ['{"image":"YQ==","dtype":"float32"}', /"dtype" does not belong.*query parameters/],
    ['{"image":"YQ==","images":["YQ=="]}', /"images" does not belong/],
    ['{"image":"YQ==","image":"YQ=="}', /image is given twice/],
    ['{"picture":"YQ=="}', /"picture" does not belong.*query parameters/],
    ['{"__proto__":{"image":"YQ=="}}', /"__proto__" does not belong/],
  ];
  for (const [body, sentence] of cases) {
    const text = await refusal(await post(body, { 'content-type': 'application/json' }));
    assert.match(text, /^400 invalid_argument: /, body);
    assert.match(text, sentence, body);
  }
  const many = JSON.stringify({ images: Array.from({ length: 4 }, () => 'YQ==') });
  assert.match(await refusal(await post(many, { 'content-type': 'application/json' })), /^413 too_large: /);
});

test('refuses an empty body', async () => {
  assert.match(await refusal(await post('')), /^400 invalid_argument: The body is empty/);
  assert.match(await refusal(await post(undefined)), /^400 invalid_argument: The body is empty/);
});

test('refuses a compressed body', async () => {
  const answer = await post(image, { 'content-encoding': 'gzip' });
  assert.match(await refusal(answer), /^415 unsupported_media: /);
});

test('refuses a body over the limit in every envelope, at its declared length or as it comes', async () => {
  const large = Buffer.alloc(200_001);
  const form = new FormData();
  form.append('image', new Blob([large]));
  const json = JSON.stringify({ image: large.toString('base64') });
  for (const answer of [
    await post(large),
    await post(form),
    await post(json, { 'content-type': 'application/json' }),
  ]) {
    assert.match(
      await refusal(answer),
      /^413 too_large: The body is over the limit of 195.3 KiB \(--max-body-bytes\)/,
    );
  }
  const chunk = `186a0\r\n${'x'.repeat(100_000)}\r\n`;
  for (const type of ['image/png', 'application/json', 'multipart/form-data; boundary=x']) {
    const head = `POST /encode HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const text = await rawExchange(overSockets.server.port, `${head}${chunk.repeat(3)}0\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /connection: close/i);
    assert.match(text, /"code":"too_large"/);
  }
});
