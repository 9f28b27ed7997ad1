import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { decode } from '../../src/image/decode.ts';
import type { Raster } from '../../src/image/raster.ts';
import { noise } from './noise.ts';

const options = { exif: 'apply', maxPixels: 1e8 } as const;
const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../test/fixtures/images/${name}`, import.meta.url));

/** Something for sharp to write files of. */
const source = noise({ width: 31, height: 17 }, 5);
const writer = () => sharp(source.data, { raw: { width: source.width, height: source.height, channels: 3 } });
function firstPixel(raster: Raster): number[] {
  return [...raster.data.subarray(0, 3)];
}

async function refusal(bytes: Uint8Array, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(decode(bytes, options), (error) => {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

describe('decode', () => {
  for (const [name, bytes] of [
    ['PNG', writer().png().toBuffer()],
    ['WebP', writer().webp({ lossless: true }).toBuffer()],
    ['TIFF', writer().tiff({ compression: 'lzw' }).toBuffer()],
    ['AVIF', writer().avif({ lossless: true }).toBuffer()],
  ] as const) {
    test(`gives the pixels of a lossless ${name}`, async () => {
      assert.deepEqual(await decode(await bytes, options), source);
    });
  }

  test('turns a picture by its EXIF orientation unless told to ignore it', async () => {
    const bytes = fixture('rocket-exif6.jpg');
    const applied = await decode(bytes, options);
    const ignored = await decode(bytes, { ...options, exif: 'ignore' });
    assert.deepEqual([applied.width, applied.height], [ignored.height, ignored.width]);
    // Orientation 6: the stored left lower corner is shown left above.
    const stored = (ignored.height - 1) * ignored.width * 3;
    assert.deepEqual(firstPixel(applied), [...ignored.data.subarray(stored, stored + 3)]);
  });

  test('ignores a colour profile', async () => {
    const plain = await writer().png().toBuffer();
    const profiled = await writer().png().withIccProfile('p3', { attach: true }).toBuffer();
    const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    assert.ok(profiled.includes('iCCP') && !plain.includes('iCCP'));
    assert.deepEqual(Buffer.from((await decode(profiled, options)).data), stored);
  });

  test('refuses an empty body', () =>
    refusal(new Uint8Array(), 'invalid_argument', /^The image is empty\.$/));

  test('refuses what is not an image', () =>
    refusal(
      Buffer.from('hello'),
      'invalid_argument',
      /^The bytes are not an image of a known format; send JPEG, PNG, WebP, GIF, TIFF or AVIF\.$/,
    ));

  test('refuses an SVG by name', () =>
    refusal(
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'),
      'unsupported_media',
      /^The image is SVG, which is not accepted; send JPEG, PNG, WebP, GIF, TIFF or AVIF\.$/,
    ));

  for (const share of [0.2, 0.5, 0.9, 0.99]) {
    test(`refuses a JPEG of which ${share * 100} % arrived`, () => {
      const bytes = fixture('rocket.jpg');
      return refusal(
        bytes.subarray(0, bytes.length * share),
        'invalid_argument',
        /^The JPEG cannot be decoded: it is truncated, damaged or of an unusual kind \(premature end of JPEG image\)\.$/,
      );
    });
  }

  for (const name of ['coffee.png', 'tall.webp']) {
    test(`refuses half of ${name}`, () => {
      const bytes = fixture(name);
      return refusal(bytes.subarray(0, bytes.length / 2), 'invalid_argument', /cannot be decoded/);
    });
  }

  test('refuses a TIFF whose pixels are missing', async () => {
    const bytes = await writer().tiff({ compression: 'none' }).toBuffer();
    await refusal(bytes.subarray(0, bytes.length / 2), 'invalid_argument', /^The TIFF cannot be decoded/);
  });

  /** A small TIFF whose directory was changed: the first value of each tag. */
  async function changedTiff(changes: Readonly<Record<number, number>>): Promise<Buffer> {
    const bytes = await writer().tiff({ compression: 'none' }).toBuffer();
    const directory = bytes.readUInt32LE(4);
    for (let at = directory + 2; at < directory + 2 + bytes.readUInt16LE(directory) * 12; at += 12) {
      const value = changes[bytes.readUInt16LE(at)];
      if (value !== undefined) bytes.writeUInt16LE(value, at + 8);
    }
    return bytes;
  }

  for (const [kind, changes, reason] of [
    ['ZSTD', { 259: 50_000 }, 'ZSTD compression is not supported'],
    ['LZMA', { 259: 34_925 }, 'LZMA compression is not supported'],
    ['JPEG 2000', { 259: 34_712 }, 'JPEG 2000 compression is not supported'],
    ['unknown compression', { 259: 34_934 }, 'compression scheme 34934 is not supported'],
    ['CIELAB', { 262: 8 }, 'CIELAB colours are not supported'],
    ['8 samples', { 277: 8 }, 'more than 5 channels are not supported'],
  ] as const) {
    test(`says what it does not support of a TIFF: ${kind}`, async () => {
      const sentence = `The TIFF cannot be decoded: ${reason}; convert the image to PNG or JPEG.`;
      await assert.rejects(decode(await changedTiff(changes), options), {
        code: 'invalid_argument',
        message: sentence,
      });
    });
  }

  test('says that it does not support 12 bits a sample of a JPEG', async () => {
    const bytes = await writer().jpeg().toBuffer();
    bytes[bytes.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
    await assert.rejects(decode(bytes, options), {
      code: 'invalid_argument',
      message:
        'The JPEG cannot be decoded: 12 bits a sample are not supported; convert the image to PNG or JPEG.',
    });
  });

  test('refuses HEIC with what to convert it to', () =>
    refusal(
      Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08meta', 'latin1'),
      'unsupported_media',
      /^The image is HEIC, whose HEVC coding is not supported; convert it to JPEG or PNG\.$/,
    ));

  test('refuses a PNG of 20,000 x 20,000 pixels', async () => {
    const bytes = greyPng(20_000, 20_000);
    assert.ok(bytes.length < 100_000);
    await refusal(
      bytes,
      'too_large',
      /^The image has 20,000 x 20,000 pixels; at most 100,000,000 pixels are accepted \(--max-pixels\)\.$/,
    );
  });

  test('decides on the number of pixels from the header alone', async () => {
    await refusal(greyPng(20_000, 20_000).subarray(0, 100), 'too_large', /20,000 x 20,000/);
  });

  test('accepts exactly as many pixels as the limit', async () => {
    const bytes = await writer().png().toBuffer();
    const raster = await decode(bytes, { exif: 'apply', maxPixels: 31 * 17 });
    assert.equal(raster.width, 31);
    await assert.rejects(decode(bytes, { exif: 'apply', maxPixels: 31 * 17 - 1 }), { code: 'too_large' });
  });

  test('never tells of the decoder or of files', async () => {
    const bytes = fixture('rocket.jpg');
    const error = await decode(bytes.subarray(0, 5000), options).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ServiceError);
    assert.doesNotMatch(error.message, /vips|sharp|\/|\n/i);
    assert.ok(error.cause instanceof Error);
  });

  test('fails only with what a caller can be told, whatever bytes come', async () => {
    const signatures = ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'GIF89a', 'II*\0', 'RIFF\x10\0\0\0WEBP', ''];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...signatures),
        fc.uint8Array({ maxLength: 300 }),
        async (start, rest) => {
          await decodeOrRefuse(Buffer.concat([Buffer.from(start, 'latin1'), rest]));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('fails only with what a caller can be told, whatever became of an image', async () => {
    const images = await Promise.all([
      writer().jpeg().toBuffer(),
      writer().png().toBuffer(),
      writer().webp().toBuffer(),
      writer().gif().toBuffer(),
      writer().tiff().toBuffer(),
      writer().avif().toBuffer(),
    ]);
    const change = fc.tuple(fc.nat(2000), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...images),
        fc.array(change, { maxLength: 8 }),
        async (image, changes) => {
          const bytes = Buffer.from(image);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          await decodeOrRefuse(bytes);
        },
      ),
      { numRuns: 150 },
    );
  });
});

async function decodeOrRefuse(bytes: Uint8Array): Promise<void> {
  try {
    const { width, height, data } = await decode(bytes, { exif: 'apply', maxPixels: 1e6 });
    assert.equal(data.length, width * height * 3);
  } catch (error) {
    assert.ok(error instanceof ServiceError);
    assert.ok(['invalid_argument', 'too_large', 'unsupported_media'].includes(error.code), error.code);
  }
}

/** A black PNG of one bit a pixel. */
function greyPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('leaves no memory behind', async () => {
  const rocket = fixture('rocket.jpg');
  const decodeMany = async () => {
    for (let i = 0; i < 150; i++) await decode(rocket, options);
    return process.memoryUsage.rss();
  };
  const before = await decodeMany();
  const after = await decodeMany();
  // 150 rasters are 123 MB.
  assert.ok(after - before < 60e6, `grew by ${Math.round((after - before) / 1e6)} MB`);
});
