import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { imageBytes } from '../../support/golden.ts';
import { openStubApp, stubTokens } from './stub-server.ts';

const { ask, encoder } = await openStubApp();
/** What curl -d calls its body, whatever is in it. */
const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };

async function refusal(body: RequestInit['body'], headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask('/v1/encode', { method: 'POST', headers, ...(body == null ? {} : { body }) });
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  assert.deepEqual([answer.status, code], [400, 'invalid_argument'], detail);
  return detail;
}

test('tells whoever sends the name of a file to write an @ before it', async () => {
  for (const name of ['photo.jpg', './my photo.PNG', '/data/photo', '~/a.webp', 'größer.jpeg\n'])
    assert.ok((await refusal(name, urlencoded)).endsWith(`write --data-binary @${name.trim()}.`), name);
  const form = new FormData();
  form.append('image', 'photo.jpg');
  assert.match(await refusal(form), /^The image is the text "photo.jpg"\. .* write -F image=@photo\.jpg\.$/);
});

test('tells whoever writes image=@FILE after curl -d how to send the file', async () => {
  assert.match(
    await refusal('image=@photo.jpg', urlencoded),
    /^The image is the text "image=@photo\.jpg"\. To send the file of that name, write --data-binary @photo\.jpg\.$/,
  );
});

test('tells whoever sends JSON under another content type which it needs', async () => {
  const json = `{"image":"${imageBytes('rocket.jpg').toString('base64')}"}`;
  for (const type of ['text/plain;charset=UTF-8', 'text/json', 'application/vnd.api+json', 'image/jpeg'])
    for (const body of [json, `\ufeff\n ${json}`])
      assert.equal(
        await refusal(body, { 'content-type': type }),
        'The image is JSON, which needs the content type application/json.',
      );
});

test('tells whoever sends base64 in place of bytes', async () => {
  const base64 = imageBytes('rocket.jpg').toString('base64');
  const sentence = 'The image is base64. Send the bytes that it stands for, or JSON: {"image": base64}.';
  for (const body of [base64, base64.replace(/.{76}/g, '$&\r\n'), `data:image/jpeg;base64,${base64}`])
    assert.equal(await refusal(body), sentence);
  assert.equal(await refusal(`image=${encodeURIComponent(base64)}`, urlencoded), sentence);
  const form = new FormData();
  form.append('image', base64);
  assert.equal(await refusal(form), sentence);
  const twice = JSON.stringify({ image: Buffer.from(base64).toString('base64') });
  assert.equal(await refusal(twice, { 'content-type': 'application/json' }), sentence);
});

test('tells whoever sends a URL that none is fetched', async () => {
  assert.match(await refusal('https://example.com/a.png', urlencoded), /is a URL, and none is fetched/);
});

test('tells whoever sends a file with curl -d that it drops line breaks, where the file is damaged', async () => {
  encoder.answer = () => {
    throw new ServiceError('invalid_argument', 'The JPEG cannot be decoded.');
  };
  const file = imageBytes('rocket.jpg');
  const stripped = Buffer.from(file.filter((byte) => byte !== 0x0a && byte !== 0x0d));
  const hint =
    /^The JPEG cannot be decoded\. curl -d drops the line breaks of a file: use --data-binary @FILE\.$/;
  assert.match(await refusal(stripped, urlencoded), hint);
  assert.doesNotMatch(await refusal(file, urlencoded), /curl/);
  const png = Buffer.from('89504e471a00000049484452', 'hex');
  assert.match(await refusal(png, urlencoded), hint);
  assert.doesNotMatch(await refusal('some text', urlencoded), /curl/);
  assert.doesNotMatch(await refusal(stripped, { 'content-type': 'image/jpeg' }), /curl/);
  encoder.answer = stubTokens;
});

test('tells curl alone that the file of an empty body may be missing', async () => {
  assert.equal(await refusal('', urlencoded), 'The body is empty: send an image.');
  assert.match(
    await refusal('', { 'user-agent': 'curl/8.5.0' }),
    /Check that the file exists that curl sends\.$/,
  );
});

test('tells whoever sends an image under a JSON content type what it is', async () => {
  const json = { 'content-type': 'application/json' };
  assert.match(
    await refusal(imageBytes('rocket.jpg'), json),
    /is an image file\. Send it with a content type such as/,
  );
});

test('leaves other short texts to the decoder', async () => {
  for (const text of ['hello, world', '<svg/>', 'jpg', 'a\u0000.jpg']) {
    encoder.requests.length = 0;
    await ask('/v1/encode', { method: 'POST', headers: urlencoded, body: text });
    assert.equal(encoder.requests.length, 1, text);
  }
});

test('names the flag of every limit that a body can be over', async () => {
  const small = await openStubApp({ limits: { maxBodyBytes: 10_000, maxImages: 2 } });
  const tooLarge = async (body: string, type = 'image/png') => {
    const answer = await small.ask('/v1/encode', { method: 'POST', headers: { 'content-type': type }, body });
    assert.equal(answer.status, 413);
    return ((await answer.json()) as { detail: string }).detail;
  };
  assert.match(await tooLarge('x'.repeat(10_001)), /--max-body-bytes/);
  assert.match(await tooLarge('{"images":["YQ==","YQ==","YQ=="]}', 'application/json'), /--max-images/);
});

test('suggests the route whose name is nearly the one that was asked for', async () => {
  for (const [path, near] of [
    ['/v1/encod', '/v1/encode'],
    ['/v1/teacher_encode', '/v1/teacher-encode'],
    ['/v1/model', '/v1/models'],
    ['/openapi.jsn', '/openapi.json'],
  ]) {
    const { detail } = (await (await ask(path!)).json()) as { detail: string };
    assert.ok(detail.endsWith(`Did you mean "${near}"?`), detail);
  }
});
