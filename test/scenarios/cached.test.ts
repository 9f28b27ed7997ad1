// What is in the cache, asked for over both transports by the digest of the file.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { type Service, startService } from '../../src/service.ts';
import { imageBytes } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
const image = imageBytes('rocket.jpg');
const digest = `sha256:${createHash('sha256').update(image).digest('hex')}`;
let service: Service;
let client: TestClient;
let url: string;
before(async () => {
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const models = [{ name: 'siglip-tiny', folder }];
  const config = serviceConfig({ models, cacheBytes: 2 ** 24 });
  service = await startService(config, pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
  url = `http://127.0.0.1:${service.httpPort}`;
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

const get = (query: string, headers: Record<string, string> = {}, path = '/v1/encode') =>
  fetch(`${url}${path}?${query}`, { headers });

const detailOf = async (answer: Response) => (await answer.json()) as { code: string; detail: string };

test('an image that was not encoded is not found, over either transport', async () => {
  const answer = await get(`image=${digest}`);
  assert.equal(answer.status, 404);
  assert.match((await detailOf(answer)).detail, /send the image itself/);
  const { error } = await client.call<EncodeResponse>('Encode', { image: { digest } });
  assert.equal(error?.code, 5);
});

test('an image that one transport encoded is answered by both, and says that it was a hit', async () => {
  const posted = await fetch(`${url}/v1/encode?format=raw`, { method: 'POST', body: image });
  assert.equal(posted.headers.get('tokens-cache'), 'miss');
  const bytes = Buffer.from(await posted.arrayBuffer());

  const again = await fetch(`${url}/v1/encode?format=raw`, { method: 'POST', body: image });
  assert.equal(again.headers.get('tokens-cache'), 'hit');
  assert.ok(bytes.equals(Buffer.from(await again.arrayBuffer())));

  const got = await get(`image=${digest}&format=raw`);
  assert.equal(got.headers.get('tokens-cache'), 'hit');
  assert.equal(got.headers.get('tokens-meta'), posted.headers.get('tokens-meta'));
  assert.ok(bytes.equals(Buffer.from(await got.arrayBuffer())));

  for (const source of [{ digest }, { file: image }]) {
    const { response } = await client.call<EncodeResponse>('Encode', { image: source });
    assert.equal(response?.source, 'ANSWER_SOURCE_HIT');
    assert.ok(bytes.equals(response.tensor.data));
  }
});

test('who has the tokens already is told so, and other tokens have another tag', async () => {
  const first = await get(`image=${digest}&format=raw`);
  const etag = first.headers.get('etag')!;
  await first.arrayBuffer();
  for (const tag of [etag, `"x", ${etag}`, etag.replace('W/', ''), '*']) {
    const answer = await get(`image=${digest}&format=raw`, { 'if-none-match': tag });
    assert.equal(answer.status, 304, tag);
    assert.equal(answer.headers.get('etag'), etag);
    assert.equal((await answer.arrayBuffer()).byteLength, 0);
  }
  const others = [`image=${digest}&format=npy`, `image=${digest}&format=json`];
  for (const query of others) {
    const answer = await get(query, { 'if-none-match': etag });
    assert.equal(answer.status, 200);
    assert.notEqual(answer.headers.get('etag'), etag);
    await answer.arrayBuffer();
  }
});

test('other options, and other recipes, are other tokens', async () => {
  for (const query of ['dtype=float32', 'exif=ignore']) {
    assert.equal((await get(`image=${digest}&format=raw&${query}`)).status, 404);
  }
  assert.equal((await get(`image=${digest}`, {}, '/v1/anyres-encode')).status, 404);
  const { response } = await client.call<EncodeResponse>('AnyResEncode', { image: { file: image } });
  assert.equal(response?.source, 'ANSWER_SOURCE_MISS');
  const got = await get(`image=${digest}&format=raw`, {}, '/anyres-encode');
  assert.equal(got.status, 200);
  assert.ok(response.tensor.data.equals(Buffer.from(await got.arrayBuffer())));
});

for (const [query, says] of [
  ['', /POST the image itself/],
  ['image=sha256:12', /64 lower-case hexadecimal digits/],
  [`image=${digest.toUpperCase()}`, /sha256:/],
  [`image=${digest}&colour=red`, /Unknown option "colour"\. The options are format, image/],
] as const) {
  test(`refuses GET with "${query.slice(0, 40)}"`, async () => {
    const answer = await get(query);
    assert.equal(answer.status, 400);
    assert.match((await detailOf(answer)).detail, says);
  });
}

test('has no lines of JSON, which are for several images', async () => {
  assert.equal((await get(`image=${digest}&format=jsonl`)).status, 406);
});

test('a digest asks for nothing but what is kept, so that no-store says nothing of it, over either transport', async () => {
  const headers = { 'cache-control': 'no-store' };
  const got = await get(`image=${digest}&format=raw`, headers);
  assert.deepEqual([got.status, got.headers.get('tokens-cache')], [200, 'hit']);
  await got.arrayBuffer();
  const settings = { metadata: headers };
  const { response } = await client.call<EncodeResponse>('Encode', { image: { digest } }, settings);
  assert.equal(response?.source, 'ANSWER_SOURCE_HIT');
});

test('refuses a digest that is none over gRPC', async () => {
  const { error } = await client.call<EncodeResponse>('Encode', { image: { digest: 'abc' } });
  assert.equal(error?.code, 3);
  assert.match(error.details, /image\.digest is "abc"/);
});
