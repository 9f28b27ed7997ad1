import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openStubApp, startStubServer } from './stub-server.ts';

const { ask, encoder } = await openStubApp({ limits: { maxImages: 3 } });

async function post(body: Buffer, type: string): Promise<{ status: number; code: string | undefined }> {
  const answer = await ask('/encode?format=json', {
    method: 'POST',
    body,
    headers: { 'content-type': type },
  });
  const { code } = (await answer.json()) as { code?: string };
  return { status: answer.status, code };
}

test('answers any form, however broken, as an encode or the caller’s fault', async () => {
  const piece = fc.constantFrom(
    '--b',
    '--b--',
    '--',
    '\r\n',
    '\r\n\r\n',
    '\n',
    'Content-Disposition: form-data; name="image"',
    'Content-Disposition: form-data; name="image"; filename="a.jpg"',
    'Content-Disposition: form-data; name="image"; filename*=utf-8\'\'%e2%82',
    'Content-Disposition: form-data; name="other"',
    'Content-Disposition: attachment',
    'Content-Type: application/json',
    'Content-Transfer-Encoding: base64',
    '{"a":1}',
    '\x00\xff',
    '"',
  );
  const whole = fc
    .array(fc.array(piece, { maxLength: 3 }), { maxLength: 4 })
    .map((parts) =>
      [...parts, []].map(
        (part) => `--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n${part.join('')}\r\n`,
      ),
    )
    .map((parts) => `${parts.join('')}--b--\r\n`);
  const body = fc.oneof(
    fc.array(piece, { maxLength: 14 }).map((list) => list.join('')),
    whole,
    fc.string(),
  );
  const type = fc.constantFrom(
    'multipart/form-data; boundary=b',
    'multipart/form-data; boundary="b"',
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/mixed; boundary=b',
  );
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(body, type, async (text, contentType) => {
      const { status, code } = await post(Buffer.from(text, 'latin1'), contentType);
      seen.add(status);
      if (status === 413) assert.equal(code, 'too_large');
      else if (status === 400) assert.equal(code, 'invalid_argument');
      else assert.equal(status, 200);
    }),
    { seed: 6, numRuns: 400 },
  );
  assert.deepEqual(
    [...seen].toSorted((a, b) => a - b),
    [200, 400, 413],
  );
});

test('reads images of any bytes back out of a form', async () => {
  // The first byte of a JPEG: text in place of an image is refused.
  const image = fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.of(0xff, ...bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(image, { minLength: 1, maxLength: 3 }), async (images) => {
      const head = '--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n';
      const parts = images.flatMap((bytes) => [Buffer.from(head), Buffer.from(bytes), Buffer.from('\r\n')]);
      const { status } = await post(
        Buffer.concat([...parts, Buffer.from('--b--\r\n')]),
        'multipart/form-data; boundary=b',
      );
      assert.equal(status, 200);
      const got = encoder.requests
        .at(-1)
        ?.images.map((input) => (input.kind === 'file' ? Buffer.from(input.bytes) : null));
      assert.deepEqual(
        got,
        images.map((bytes) => Buffer.from(bytes)),
      );
    }),
    { seed: 7, numRuns: 100 },
  );
});

test('refuses a long part without a name, whether or not the parser ends', async () => {
  const { url } = await startStubServer({ limits: { formEndMs: 20 } });
  const part = `--b\r\ncontent-type: image/png\r\n\r\n${'x'.repeat(100_000)}\r\n--b--\r\n`;
  const answer = await fetch(`${url}/encode`, {
    method: 'POST',
    body: Buffer.from(part),
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  });
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  assert.equal(code, 'invalid_argument');
  // Whether the parser ends depends on how the bytes come.
  assert.match(detail, /a part has no name|no image part/);
});
