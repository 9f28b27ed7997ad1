import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { probe } from '../../src/image/decode.ts';
import { recognise } from '../../src/image/format.ts';
import { hasBoundlessSide, plainHeaderSize } from '../../src/image/header-size.ts';
import type { Size } from '../../src/recipes/plan.ts';

function sizeOf(bytes: Uint8Array): Size | undefined {
  const recognised = recognise(bytes);
  return recognised.kind === 'accepted' ? plainHeaderSize(bytes, recognised.format) : undefined;
}

function picture(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: '#123' } });
}

const writers = {
  'baseline JPEG': (image: Sharp) => image.jpeg(),
  'progressive JPEG': (image: Sharp) => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
  'JPEG with a colour profile': (image: Sharp) => image.withIccProfile('p3').jpeg(),
  PNG: (image: Sharp) => image.png(),
  'interlaced PNG': (image: Sharp) => image.png({ progressive: true, palette: true }),
  'lossy WebP': (image: Sharp) => image.webp(),
  'lossless WebP': (image: Sharp) => image.webp({ lossless: true }),
} as const;

test('an AVIF of a side beyond all is told by its header, and refused without a word from libvips', async () => {
  const avif = await picture(64, 48).avif().toBuffer();
  assert.equal(hasBoundlessSide(avif), false);
  assert.deepEqual((await probe(avif, 'apply')).size, { width: 64, height: 48 });
  for (const offset of [8, 12]) {
    const bytes = Buffer.from(avif);
    bytes.writeUInt32BE(10_000_001, bytes.indexOf('ispe') + offset);
    assert.equal(hasBoundlessSide(bytes), true);
    await assert.rejects(probe(bytes, 'apply'), { code: 'invalid_argument' });
  }
  // A box of length 1 has its length in the eight bytes after its type: what follows is read from further on.
  const shifted = Buffer.from(avif);
  shifted.writeUInt32BE(1, shifted.indexOf('ispe') - 4);
  assert.equal(hasBoundlessSide(shifted), true);
});

describe('plainHeaderSize', () => {
  for (const [name, write] of Object.entries(writers)) {
    test(`is the size of any ${name}`, async () => {
      const sides = fc.integer({ min: 1, max: 700 });
      await fc.assert(
        fc.asyncProperty(sides, sides, async (width, height) => {
          const bytes = await write(picture(width, height)).toBuffer();
          assert.deepEqual(sizeOf(bytes), { width, height });
        }),
        { numRuns: 8 },
      );
    });
  }

  test('leaves a file that notes an orientation to the decoder', async () => {
    const turned = () => picture(3, 5).withMetadata({ orientation: 6 });
    for (const bytes of [
      await turned().jpeg().toBuffer(),
      await turned().png().toBuffer(),
      await turned().webp().toBuffer(),
    ]) {
      assert.equal((await sharp(bytes).metadata()).orientation, 6);
      assert.equal(sizeOf(bytes), undefined);
    }
  });

  test('leaves a JPEG whose orientation comes after its size to the decoder', async () => {
    const bytes = await picture(30, 50).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const segments: Buffer[] = [];
    let at = 2;
    for (; bytes[at + 1] !== 0xda; at += 2 + bytes.readUInt16BE(at + 2)) {
      segments.push(bytes.subarray(at, at + 2 + bytes.readUInt16BE(at + 2)));
    }
    const exif = segments.filter((segment) => segment[1] === 0xe1);
    const others = segments.filter((segment) => segment[1] !== 0xe1);
    const moved = Buffer.concat([bytes.subarray(0, 2), ...others, ...exif, bytes.subarray(at)]);
    assert.equal((await sharp(moved).metadata()).orientation, 6);
    assert.equal(sizeOf(moved), undefined);
  });

  test('gives up on a file of very many segments', () => {
    const comment = Buffer.from([0xff, 0xfe, 0, 2]);
    const bytes = Buffer.concat([
      Buffer.from([0xff, 0xd8]),
      ...Array.from({ length: 100_000 }, () => comment),
    ]);
    assert.equal(plainHeaderSize(bytes, 'jpeg'), undefined);
  });

  test('leaves other formats to the decoder', async () => {
    for (const format of ['gif', 'tiff', 'avif'] as const) {
      assert.equal(sizeOf(await picture(3, 5).toFormat(format).toBuffer()), undefined);
    }
  });

  test('agrees with the decoder on every picture of the fixtures that it reads', async () => {
    const folder = new URL('../../../test/fixtures/images/', import.meta.url);
    let read = 0;
    for (const file of readdirSync(folder)) {
      const bytes = readFileSync(new URL(file, folder));
      const size = sizeOf(bytes);
      if (size === undefined) continue;
      const { width, height } = (await sharp(bytes).metadata()).autoOrient;
      assert.deepEqual(size, { width, height }, file);
      read += 1;
    }
    assert.ok(read >= 4);
  });

  test('ends without a throw on any bytes', () => {
    const starts = ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'RIFF\0\0\0\0WEBPVP8 '].map((text) =>
      Uint8Array.from(Buffer.from(text, 'latin1')),
    );
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 400 }), (start, rest) => {
        sizeOf(Uint8Array.from([...start, ...rest]));
      }),
      { numRuns: 2000 },
    );
  });

  test('ends at once on a PNG whose chunks lead nowhere', () => {
    const bytes = Buffer.alloc(5000);
    bytes.write('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');
    assert.equal(plainHeaderSize(bytes, 'png'), undefined);
  });
});
