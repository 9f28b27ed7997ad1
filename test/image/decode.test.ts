import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { decode, probe } from '../../src/image/decode.ts';
import type { Raster } from '../../src/image/raster.ts';
import { noise } from './noise.ts';

const options = { exif: 'apply', maxPixels: 1e8 } as const;
const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../test/fixtures/images/${name}`, import.meta.url));

/** Something for sharp to write files of. */
const source = noise({ width: 31, height: 17 }, 5);
const writer = () => sharp(source.data, { raw: { width: source.width, height: source.height, channels: 3 } });
const flat = (channels: 3 | 4, background: object) =>
  sharp({ create: { width: 6, height: 4, channels, background } });

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

  test('drops alpha and keeps the colours under it', async () => {
    const bytes = await flat(4, { r: 10, g: 20, b: 30, alpha: 0.2 }).png().toBuffer();
    assert.deepEqual(firstPixel(await decode(bytes, options)), [10, 20, 30]);
  });

  test('expands grey to three equal channels', async () => {
    const bytes = await writer().greyscale().png().toBuffer();
    const { data } = await decode(bytes, options);
    assert.equal(data.length, 31 * 17 * 3);
    assert.ok(data.every((value, i) => value === data[i - (i % 3)]));
  });

  test('expands a palette', async () => {
    const bytes = await flat(3, { r: 200, g: 100, b: 50 }).png({ palette: true }).toBuffer();
    assert.equal(bytes[25], 3, 'the PNG has a palette');
    assert.deepEqual(firstPixel(await decode(bytes, options)), [200, 100, 50]);
  });

  test('turns CMYK to RGB', async () => {
    const bytes = await flat(3, { r: 255, g: 255, b: 255 }).toColourspace('cmyk').jpeg().toBuffer();
    const raster = await decode(bytes, options);
    assert.equal(raster.data.length, 6 * 4 * 3);
    assert.ok(firstPixel(raster).every((value) => value > 245));
  });

  test('turns 16 bits to 8', async () => {
    const bytes = await flat(3, { r: 200, g: 100, b: 50 }).toColourspace('rgb16').png().toBuffer();
    assert.equal(bytes[24], 16, 'the PNG has 16 bits');
    assert.deepEqual(firstPixel(await decode(bytes, options)), [200, 100, 50]);
  });

  test('takes the first frame of a GIF', async () => {
    const frames = Buffer.concat([Buffer.alloc(4 * 4 * 3, 0), Buffer.alloc(4 * 4 * 3, 255)]);
    const bytes = await sharp(frames, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .gif()
      .toBuffer();
    const raster = await decode(bytes, options);
    assert.deepEqual([raster.width, raster.height, firstPixel(raster)], [4, 4, [0, 0, 0]]);
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
        /^The JPEG cannot be decoded: it is truncated, damaged or of an unusual kind\.$/,
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

  test('refuses a PNG of 20,000 x 20,000 pixels', async () => {
    const bytes = greyPng(20_000, 20_000);
    assert.ok(bytes.length < 100_000);
    await refusal(
      bytes,
      'too_large',
      /^The image has 20,000 x 20,000 pixels; at most 100,000,000 pixels are accepted\.$/,
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

describe('probe', () => {
  test('tells format and size as decoded, with EXIF applied or ignored', async () => {
    for (const name of ['rocket.jpg', 'rocket-exif6.jpg', 'tall.webp', 'alpha.png', 'page.png']) {
      for (const exif of ['apply', 'ignore'] as const) {
        const { width, height } = await decode(fixture(name), { ...options, exif });
        assert.deepEqual((await probe(fixture(name), exif)).size, { width, height }, `${name} ${exif}`);
      }
    }
    assert.equal((await probe(fixture('tall.webp'), 'apply')).format, 'webp');
  });

  test('needs only the head of a file', async () => {
    const { size } = await probe(fixture('rocket.jpg').subarray(0, 4096), 'apply');
    assert.deepEqual(size, { width: 640, height: 427 });
  });

  test('refuses what decode refuses', async () => {
    await assert.rejects(probe(new Uint8Array(), 'apply'), { code: 'invalid_argument' });
    await assert.rejects(probe(Buffer.from('%PDF-1.7'), 'apply'), { code: 'unsupported_media' });
    await assert.rejects(probe(fixture('rocket.jpg').subarray(0, 30), 'apply'), { code: 'invalid_argument' });
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
