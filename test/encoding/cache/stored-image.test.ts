import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readStoredImage, storedImage } from '../../../src/encoding/cache/stored-image.ts';

const image = {
  size: { width: 640, height: 427 },
  parts: [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)],
};

test('reads back the tokens and the size of an image', async () => {
  const read = await readStoredImage(await storedImage(image));
  assert.deepEqual(read, { size: image.size, parts: [Uint8Array.of(1, 2, 3, 4, 5)] });
});

test('does not keep the buffer that it was read from in memory', async () => {
  const read = await readStoredImage(await storedImage(image));
  assert.equal(read!.parts[0]!.buffer.byteLength, 5);
});

test('leaves the main thread to others while it stores and reads a large image', async () => {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const large = { ...image, parts: [new Uint8Array(2 ** 24).fill(1), new Uint8Array(2 ** 24).fill(2)] };
  const stored = await storedImage(large);
  assert.ok(turns >= 16, `${turns} turns`);
  turns = 0;
  const read = await readStoredImage(stored);
  isOver = true;
  assert.ok(turns >= 16, `${turns} turns`);
  assert.ok(Buffer.concat(large.parts).equals(read!.parts[0]!));
});

test('reads nothing from a damaged, truncated or foreign value', async () => {
  const bytes = await storedImage(image);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= flip;
      assert.equal(await readStoredImage(damaged), undefined);
      assert.equal(await readStoredImage(bytes.subarray(0, at)), undefined);
    }),
  );
  assert.equal(await readStoredImage(Buffer.from('something else'.repeat(20))), undefined);
});
