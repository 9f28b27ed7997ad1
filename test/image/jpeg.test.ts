import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { decode, decodeInto } from '../../src/image/decode.ts';
import { readSequentialJpeg } from '../../src/image/headers/sequential-jpeg.ts';
import { decodeJpeg } from '../../src/image/jpeg.ts';
import type { Raster, RowSource } from '../../src/image/raster.ts';
import { plainJpeg, randomJpeg, writeJpeg } from './jpeg-writer.ts';
import { mutatedJpeg } from './mutated-jpegs.ts';
import { noise } from './noise.ts';

/** Set it higher for a longer search. */
const numRuns = Number(process.env['ODD_FILES'] ?? 300);

const options = { exif: 'apply', maxPixels: 1e7 } as const;

/** Undefined if the file is left to libvips. */
function decoded(file: Buffer): Raster | undefined {
  const jpeg = readSequentialJpeg(file);
  const isLarge = jpeg !== undefined && jpeg.size.width * jpeg.size.height > options.maxPixels;
  return jpeg === undefined || isLarge ? undefined : decodeJpeg(file, jpeg, 1);
}

/** What libvips, and so libjpeg-turbo, makes of a file. */
async function byLibvips(file: Buffer): Promise<Raster> {
  const { data, info } = await sharp(file, { ignoreIcc: true, failOn: 'error' })
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

async function requireEqual(actual: Raster | undefined, file: Buffer, what: string): Promise<void> {
  const wanted = await byLibvips(file);
  assert.ok(actual !== undefined, `${what} was left to libvips`);
  assert.deepEqual([actual.width, actual.height], [wanted.width, wanted.height], what);
  assert.ok(Buffer.compare(actual.data, wanted.data) === 0, `${what} differs`);
}

describe("an ordinary JPEG is decoded to libvips' pixels", () => {
  for (const chromaSubsampling of ['4:4:4', '4:2:0']) {
    test(`of every quality: ${chromaSubsampling}`, async () => {
      const { data, ...raw } = { ...noise({ width: 45, height: 39 }, 3), channels: 3 as const };
      const picture = sharp(data, { raw }).blur(0.8);
      for (let quality = 1; quality <= 100; quality++) {
        const optimiseCoding = quality % 2 === 0;
        const file = await picture.clone().jpeg({ quality, chromaSubsampling, optimiseCoding }).toBuffer();
        await requireEqual(decoded(file), file, `quality ${quality}`);
      }
    });
  }

  test('of every size around those of its blocks', async () => {
    for (const chromaSubsampling of ['4:4:4', '4:2:0', 'grey']) {
      for (let width = 5; width <= 34; width += chromaSubsampling === '4:2:0' ? 1 : 5) {
        for (const height of [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33]) {
          const { data, ...raw } = { ...noise({ width, height }, width), channels: 3 as const };
          const isGrey = chromaSubsampling === 'grey';
          const picture = isGrey ? sharp(data, { raw }).greyscale() : sharp(data, { raw });
          const file = await picture.jpeg(isGrey ? {} : { chromaSubsampling }).toBuffer();
          await requireEqual(decoded(file), file, `${width} x ${height}, ${chromaSubsampling}`);
        }
      }
    }
  });

  test('in every orientation, over many rows of blocks', async () => {
    for (const { width, height } of [
      { width: 43, height: 301 },
      { width: 301, height: 43 },
    ]) {
      const { data, ...raw } = { ...noise({ width, height }, 4), channels: 3 as const };
      for (let orientation = 1; orientation <= 8; orientation++) {
        const file = await sharp(data, { raw }).withMetadata({ orientation }).jpeg().toBuffer();
        assert.ok(decoded(file) !== undefined);
        await requireEqual(await decode(file, options), file, `orientation ${orientation}`);
      }
    }
  });

  test('of whatever coefficients, tables, sampling, size and restart interval', async () => {
    await fc.assert(
      fc.asyncProperty(randomJpeg, async (jpeg) => {
        const file = writeJpeg(jpeg);
        await requireEqual(decoded(file), file, 'the picture');
      }),
      { numRuns },
    );
  });

  test('when its bytes are read in pieces, one of which ends in the middle of a stuffed byte', async () => {
    const file = writeJpeg({ ...plainJpeg, width: 120, height: 120, density: 1, mostBits: 8, seed: 348 });
    const pieceEnd = readSequentialJpeg(file)!.scanAt + 32_768;
    assert.equal(file.readUInt16BE(pieceEnd - 1), 0xff00);
    await requireEqual(decoded(file), file, 'the picture');
  });
});

test('a damaged JPEG is decoded only if libvips decodes it, to the same pixels', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(mutatedJpeg, async (file) => {
      const raster = decoded(file);
      if (raster === undefined) return;
      taken++;
      const stored = await sharp(file, { ignoreIcc: true, failOn: 'error' })
        .removeAlpha()
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      assert.deepEqual([raster.width, raster.height], [stored.info.width, stored.info.height]);
      assert.ok(Buffer.compare(raster.data, stored.data) === 0);
    }),
    { numRuns: numRuns * 4 },
  );
  assert.ok(taken > numRuns / 5, `only ${taken} were decoded`);
});

/** The pixels as rows give them, `step` rows at a time, but the first `skipped`. */
function readPixels(pixels: Raster | RowSource, step: number, skipped: number): Buffer {
  const { width, height } = pixels;
  const data = Buffer.alloc(width * height * 3);
  for (let row = skipped; row < height; row += step) {
    const to = Math.min(row + step, height);
    const [start, end] = [row * width * 3, to * width * 3];
    if ('data' in pixels) data.set(pixels.data.subarray(start, end), start);
    else pixels.readRows(row, to, data.subarray(start, end));
  }
  return data.subarray(Math.min(skipped, height) * width * 3);
}

test('a JPEG whose rows are read while it is decoded gives the same pixels, or is refused alike', async () => {
  const refusal = (thrown: unknown): string => String(thrown);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(mutatedJpeg, randomJpeg.map(writeJpeg)),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(20),
      async (file, step, skipped) => {
        const small = { ...options, maxPixels: 1.5e5 };
        const whole = await decode(file, small).then((raster) => readPixels(raster, step, skipped), refusal);
        const read = (pixels: Raster | RowSource): Buffer => readPixels(pixels, step, skipped);
        const rows = await decodeInto(file, small, true, read).catch(refusal);
        if (typeof whole === 'string' || typeof rows === 'string') assert.equal(rows, whole);
        else assert.ok(rows.equals(whole), 'the pixels differ');
      },
    ),
    { numRuns },
  );
});

test('a reader that throws between two rows spoils no later picture', async () => {
  const file = writeJpeg(plainJpeg);
  const leaving = (pixels: Raster | RowSource): Buffer => {
    readPixels(pixels, 1, plainJpeg.height - 2);
    throw new RangeError('left');
  };
  await assert.rejects(decodeInto(file, options, true, leaving), { message: 'left' });
  await requireEqual(await decode(file, options), file, 'after a reader that threw');
});

test('a JPEG that is not ordinary is decoded by libvips', async () => {
  const { data, ...raw } = { ...noise({ width: 40, height: 30 }, 8), channels: 3 as const };
  const picture = sharp(data, { raw });
  for (const [kind, file] of Object.entries({
    progressive: await picture.clone().jpeg({ progressive: true }).toBuffer(),
    'of 4:1:1': writeJpeg({ ...plainJpeg, sampling: [4, 1] }),
    'of narrow chroma': writeJpeg({ ...plainJpeg, width: 4, sampling: [2, 2] }),
    'of RGB': Buffer.from(
      writeJpeg({ ...plainJpeg, colours: 'Adobe' })
        .toString('latin1')
        .replace('Adobe\0d\0\0\0\0\x01', 'Adobe\0d\0\0\0\0\0'),
      'latin1',
    ),
  })) {
    assert.equal(decoded(file), undefined, kind);
    await requireEqual(await decode(file, options), file, kind);
  }
});

test('refuses a photograph whose last bytes are missing, or that ends in another marker', async () => {
  const rocket = readFileSync(new URL('../../../test/fixtures/images/rocket.jpg', import.meta.url));
  assert.ok(decoded(rocket) !== undefined);
  for (const missing of [1, 2, 3, 100, 70_000]) {
    assert.equal(decoded(rocket.subarray(0, -missing)), undefined, `${missing} bytes missing`);
  }
  const restarted = Buffer.from(rocket);
  restarted[rocket.length - 1] = 0xd0;
  assert.equal(decoded(restarted), undefined);
});
