import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { jsonImages } from '../../../src/transport/http/json-images.ts';

function owned(text: string | Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(typeof text === 'string' ? Buffer.from(text) : text);
}

test('reads what JSON.stringify writes, at any indentation', async () => {
  const payload = fc.uint8Array({ minLength: 1, maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(payload, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 4 }),
      async (images, indent) => {
        const text = JSON.stringify(
          { images: images.map((bytes) => Buffer.from(bytes).toString('base64')) },
          null,
          indent,
        );
        const read = jsonImages(owned(text), 4);
        assert.deepEqual(
          read.images.map((bytes) => Buffer.from(bytes)),
          images.map((bytes) => Buffer.from(bytes)),
        );
      },
    ),
    { seed: 1 },
  );
});

test('takes nothing that JSON.parse does not, and nothing of another shape', async () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    ' ',
    '\n',
    'image',
    'images',
    'YQ==',
    '\\',
    '\\"',
    '\\/',
    '5',
    'null',
  ];
  const text = fc.oneof(
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((list) => list.join('')),
    fc.array(fc.constantFrom(...pieces), { maxLength: 3 }).map((list) => `{"image":"YWJj"${list.join('')}}`),
    fc
      .array(fc.constantFrom(...pieces), { maxLength: 4 })
      .map((list) => `{"images":["YWJj"${list.join('')}]}`),
    fc.json(),
  );
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(text, async (body) => {
      let read: ReturnType<typeof jsonImages>;
      try {
        read = jsonImages(owned(body), 8);
      } catch (error) {
        assert.ok(error instanceof ServiceError && error.code === 'invalid_argument', String(error));
        return;
      }
      taken += 1;
      const parsed = JSON.parse(body) as { image?: string; images?: string[] };
      const expected = parsed.images ?? [parsed.image ?? ''];
      assert.deepEqual(
        read.images.map((bytes) => Buffer.from(bytes)),
        expected.map((value) => Buffer.from(value, 'base64')),
      );
    }),
    { seed: 2, numRuns: 2000 },
  );
  assert.ok(taken > 0);
});

test('decodes an image of several slices, with slashes escaped or not, padded or URL-safe', async () => {
  const image = Buffer.from(Array.from({ length: 1_200_001 }, (_, i) => (i * i + (i >> 8)) & 255));
  const base64 = image.toString('base64');
  for (const text of [
    base64,
    base64.replaceAll('/', '\\/'),
    base64.replace(/=+$/, ''),
    image.toString('base64url'),
  ]) {
    const { images } = jsonImages(owned(`{"image":"${text}"}`), 1);
    assert.ok(image.equals(images[0]!));
  }
});
