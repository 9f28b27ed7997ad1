import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { imageDigest } from '../../../src/encoding/cache/image-digest.ts';

for (const bytes of [1, 2 ** 20, 2 ** 20 + 1]) {
  test(`the digest of a file of ${bytes} bytes is its SHA-256, as a client computes it`, async () => {
    const file = new Uint8Array(bytes).fill(7);
    const expected = `sha256:${createHash('sha256').update(file).digest('hex')}`;
    assert.equal(await imageDigest({ kind: 'file', bytes: file }), expected);
    assert.equal(file.byteLength, bytes, 'the file is not transferred');
    assert.equal(await imageDigest({ kind: 'digest', digest: expected }), expected);
  });
}

test('pixels, the same bytes in another size, and a file have different digests', async () => {
  const data = new Uint8Array(24).fill(3);
  const digests = await Promise.all([
    imageDigest({ kind: 'raster', raster: { width: 2, height: 4, data } }),
    imageDigest({ kind: 'raster', raster: { width: 4, height: 2, data } }),
    imageDigest({ kind: 'file', bytes: data }),
  ]);
  assert.equal(new Set(digests).size, 3);
});
