import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { readCorpus } from '../../../bench/fuzz/corpus.ts';
import { layoutOf, readField } from '../../../bench/fuzz/layout.ts';
import { mutateImage } from '../../../bench/fuzz/mutate-image.ts';
import { caseRandom } from '../../../bench/fuzz/random.ts';

test('finds the parts of every picture of the corpus, inside the file', async () => {
  const { images } = await readCorpus();
  for (const [format, file] of Object.entries(images)) {
    if (format === 'npy') continue;
    const { chunks, sides } = layoutOf(file);
    assert.ok(chunks.length > 0 && sides.length > 0, format);
    for (const { start, end } of chunks)
      assert.ok(start >= 0 && start < end && end <= file.byteLength, format);
  }
});

test('reads the width and height that the headers of simple files have', async () => {
  const { images } = await readCorpus();
  for (const format of ['png', 'gif', 'webp']) {
    const [width, height] = layoutOf(images[format]!).sides.map((side) => readField(images[format]!, side));
    assert.deepEqual([width, height], [48, 40], format);
  }
});

test('makes pictures that still can be decoded, and pictures that cannot', async () => {
  const { images } = await readCorpus();
  const decoded = await Promise.all(
    Array.from({ length: 200 }, async (_, number) => {
      const mutated = mutateImage(images['png']!, images['jpeg']!, caseRandom(1, number));
      return await sharp(mutated, { limitInputPixels: 1_000_000 })
        .raw()
        .toBuffer()
        .then(
          () => true,
          () => false,
        );
    }),
  );
  const share = decoded.filter(Boolean).length / decoded.length;
  assert.ok(share > 0.05 && share < 0.95, String(share));
});
