import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { decode } from '../../src/image/decode.ts';
import { decodedSize, readHeader } from '../../src/image/read-header.ts';
import type { Size } from '../../src/recipes/plan.ts';

const fixtures = new URL('../../../test/fixtures/images/', import.meta.url);
const fixture = (name: string): Buffer => readFileSync(new URL(name, fixtures));

async function sizeOf(bytes: Uint8Array): Promise<Size> {
  return decodedSize(await readHeader(bytes), 'apply');
}

function picture(width: number, height: number): Sharp {
  return sharp({ create: { width, height, channels: 3, background: '#123' } });
}

const writers = {
  'baseline JPEG': (image: Sharp) => image.jpeg(),
  'progressive JPEG': (image: Sharp) => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
  'JPEG with a colour profile': (image: Sharp) => image.withIccProfile('p3').jpeg(),
  'CMYK JPEG': (image: Sharp) => image.toColourspace('cmyk').jpeg(),
  PNG: (image: Sharp) => image.png(),
  'interlaced PNG': (image: Sharp) => image.png({ progressive: true, palette: true }),
  'lossy WebP': (image: Sharp) => image.webp(),
  'lossless WebP': (image: Sharp) => image.webp({ lossless: true }),
  GIF: (image: Sharp) => image.gif(),
  TIFF: (image: Sharp) => image.tiff(),
} as const;

function repeated(bytes: readonly number[], times: number): Buffer {
  return Buffer.alloc(bytes.length * times, Uint8Array.from(bytes));
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0crc.', 'latin1');

function pngOf(chunks: Buffer): Buffer {
  return Buffer.concat([signature, Buffer.from('\0\0\0\0IDATcrc.', 'latin1'), chunks]);
}

function textChunk(name: string, text: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(`zTXt${name}\0\0`, 'latin1'), deflateSync(text)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length - 4);
  return Buffer.concat([length, content, Buffer.alloc(4)]);
}

// Sizes are read on the main thread. Without bounds these files hold it for a second or more; with them it is a
// millisecond, which other work on the machine can draw out: the best of three tries counts.
const hostile = {
  'JPEG segments': Buffer.concat([Buffer.from([0xff, 0xd8]), repeated([0xff, 0xe4, 0, 2], 4_000_000)]),
  'JPEG fill bytes': Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(16_000_000, 0xff)]),
  'PNG chunks': pngOf(repeated([0, 0, 0, 0, 0x74, 0x45, 0x58, 0x74, 0, 0, 0, 0], 1_500_000)),
  'inflated PNG text': pngOf(textChunk('Raw profile type exif', Buffer.alloc(30_000_000))),
  'WebP chunks': Buffer.concat([
    Buffer.from('RIFF\xff\xff\xff\0WEBPVP8X', 'latin1'),
    Buffer.alloc(16_000_000),
  ]),
  'GIF blocks': Buffer.concat([
    Buffer.from('GIF89a\x01\0\x01\0\0\0\0!\xfe', 'latin1'),
    Buffer.alloc(16_000_000, 1),
  ]),
  'TIFF entries': Buffer.concat([
    Buffer.from('MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'),
    Buffer.alloc(16_000_000, 1),
  ]),
  'EXIF prefixes': Buffer.concat([
    Buffer.from('RIFF\xff\xff\xff\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\0\0\0\0\0\0EXIF\0\x09\x3d\0', 'latin1'),
    Buffer.from('Exif\0\0'.repeat(660_000)),
  ]),
  'XMP that comes close': Buffer.concat([
    Buffer.from('RIFF\xff\xff\xff\0WEBPVP8X\x0a\0\0\0\x04\0\0\0\0\0\0\0\0\0XMP \0\x09\x3d\0', 'latin1'),
    Buffer.from('tiff:Orientation'.repeat(250_000)),
  ]),
};

describe('readHeader', () => {
  for (const [name, write] of Object.entries(writers)) {
    test(`gives the size of any ${name}, turned or not`, async () => {
      const sides = fc.integer({ min: 1, max: 700 });
      const orientations = fc.integer({ min: 1, max: 8 });
      await fc.assert(
        fc.asyncProperty(sides, sides, orientations, async (width, height, orientation) => {
          const bytes = await write(picture(width, height).withMetadata({ orientation })).toBuffer();
          const turned = orientation >= 5 && name !== 'GIF';
          const shown = turned ? { width: height, height: width } : { width, height };
          assert.deepEqual(await sizeOf(bytes), shown);
          assert.deepEqual(decodedSize(await readHeader(bytes), 'ignore'), { width, height });
        }),
        { numRuns: 8 },
      );
    });
  }

  test('gives the format', async () => {
    assert.equal((await readHeader(fixture('tall.webp'))).format, 'webp');
  });

  test('agrees with the decoded picture for every picture of the fixtures', async () => {
    const files = readdirSync(fixtures);
    assert.ok(files.length >= 7);
    for (const file of files) {
      const { width, height } = await decode(fixture(file), { exif: 'apply', maxPixels: 1e8 });
      assert.deepEqual(await sizeOf(fixture(file)), { width, height }, file);
    }
  });

  test('needs only the head of a file', async () => {
    for (const [file, size] of [
      ['rocket.jpg', { width: 640, height: 427 }],
      ['coffee.png', { width: 600, height: 400 }],
    ] as const) {
      assert.deepEqual(await sizeOf(fixture(file).subarray(0, 4096)), size);
    }
  });

  test('refuses what decode refuses', async () => {
    await assert.rejects(readHeader(new Uint8Array()), { code: 'invalid_argument' });
    await assert.rejects(readHeader(Buffer.from('%PDF-1.7')), { code: 'unsupported_media' });
    await assert.rejects(readHeader(fixture('rocket.jpg').subarray(0, 30)), { code: 'invalid_argument' });
  });

  test('refuses an AVIF of a longer side than libvips knows', async () => {
    const avif = await picture(64, 48).avif().toBuffer();
    assert.deepEqual(await sizeOf(avif), { width: 64, height: 48 });
    const beyond = (offset: number, lengthAtFirst: boolean) => {
      const bytes = Buffer.from(avif);
      const ispe = bytes.indexOf('ispe');
      bytes.writeUInt32BE(10_000_001, ispe + offset);
      // A box of length 1 has its length in the eight bytes after its type.
      if (lengthAtFirst) bytes.writeUInt32BE(1, ispe - 4);
      return readHeader(bytes);
    };
    const refusal = {
      code: 'invalid_argument',
      message: 'The AVIF cannot be decoded: it claims a side of more than 10,000,000 pixels.',
    };
    await assert.rejects(beyond(8, false), refusal);
    await assert.rejects(beyond(12, false), refusal);
    await assert.rejects(beyond(16, true), refusal);
  });

  for (const [name, bytes] of Object.entries(hostile)) {
    test(`holds its thread only for a moment over endless ${name}`, async () => {
      // Processor time, which does not pass while others have the processor.
      const heldMs: number[] = [];
      for (let tries = 0; tries < 3; tries++) {
        const before = process.cpuUsage();
        const header = readHeader(bytes);
        const { user, system } = process.cpuUsage(before);
        heldMs.push((user + system) / 1000);
        await header.catch(() => undefined);
      }
      assert.ok(Math.min(...heldMs) < 100, `${heldMs.join(', ')} ms`);
    });
  }
});
