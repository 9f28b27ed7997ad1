import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { decode } from '../../src/image/decode.ts';
import { noise } from './noise.ts';

const options = { exif: 'apply', maxPixels: 1e7 } as const;

// The service lets no GIF reach libvips; this test asks it for a second opinion.
sharp.unblock({ operation: ['VipsForeignLoadNsgifBuffer'] });

/** The first frame as another decoder has it: libvips, which agrees on opaque pictures that fill their canvas. */
async function byLibvips(bytes: Uint8Array): Promise<Buffer> {
  return await sharp(bytes).removeAlpha().raw().toBuffer();
}

async function refusal(bytes: Uint8Array, message: string): Promise<void> {
  await assert.rejects(decode(bytes, options), { code: 'invalid_argument', message });
}

describe('a GIF', () => {
  test('has the pixels that another decoder finds in it, whatever its size, colours and order of rows', async () => {
    const sides = fc.integer({ min: 1, max: 90 });
    await fc.assert(
      fc.asyncProperty(
        sides,
        sides,
        fc.integer({ min: 2, max: 256 }),
        fc.boolean(),
        async (width, height, colours, progressive) => {
          const { data } = noise({ width, height }, width * height);
          const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
            .gif({ colours, progressive, dither: 0 })
            .toBuffer();
          const raster = await decode(bytes, options);
          assert.deepEqual([raster.width, raster.height], [width, height]);
          assert.ok((await byLibvips(bytes)).equals(raster.data));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is decoded if its codes stand for thousands of pixels each', async () => {
    const bytes = await sharp({ create: { width: 2000, height: 1500, channels: 3, background: '#fff' } })
      .gif()
      .toBuffer();
    assert.ok(bytes.byteLength < 10_000);
    const { data } = await decode(bytes, options);
    assert.ok(Buffer.alloc(data.length, 255).equals(data));
  });

  const dot = Buffer.from('R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=', 'base64');

  test('may miss what follows its first picture', async () => {
    assert.deepEqual([...(await decode(dot.subarray(0, -2), options)).data], [255, 0, 0]);
  });

  test('is refused, with the reason, where it is cut short', async () => {
    for (let length = 6; length < dot.length - 4; length++) {
      await assert.rejects(decode(dot.subarray(0, length), options), (error: Error) => {
        assert.match(error.message, /^The GIF cannot be decoded: it (is truncated|has no picture)\.$/);
        return true;
      });
    }
  });

  test('is refused, with the reason, if its pixels are damaged', async () => {
    const bytes = Buffer.from(dot);
    // After the clear code a code that nothing has defined.
    bytes[bytes.indexOf(Buffer.from([2, 2, 0x44])) + 2] = 0x3c;
    await refusal(bytes, 'The GIF cannot be decoded: its pixels are damaged.');
  });

  test('is refused, with the reason, if a code lies beyond the table of strings', async () => {
    // Codes of 13 bits: clear, an index, and twice the code after the end code, for which the table has no place.
    let bits = '';
    for (const code of [4096, 1, 4098, 4098, 2, 3]) bits = code.toString(2).padStart(13, '0') + bits;
    const data = Buffer.from(BigInt(`0b${bits}`).toString(16).padStart(20, '0'), 'hex').toReversed();
    const picture = dot.indexOf(',');
    const bytes = Buffer.concat([dot.subarray(0, picture + 10), Buffer.from([12, data.length]), data]);
    bytes.writeUInt16LE(4, picture + 5);
    bytes.writeUInt16LE(4, picture + 7);
    await refusal(bytes, 'The GIF cannot be decoded: its pixels are damaged.');
  });

  test('is refused, with the reason, if its first picture is empty', async () => {
    const bytes = Buffer.from(dot);
    bytes.writeUInt16LE(0, bytes.indexOf(',') + 5);
    await refusal(bytes, 'The GIF cannot be decoded: its first picture has no pixels.');
  });

  test('is refused for its number of pixels before any is decoded', async () => {
    const bytes = Buffer.from(dot);
    bytes.writeUInt16LE(65_535, 6);
    bytes.writeUInt16LE(65_535, 8);
    await assert.rejects(decode(bytes, options), {
      code: 'too_large',
      message: 'The image has 65,535 x 65,535 pixels; at most 10,000,000 pixels are accepted (--max-pixels).',
    });
  });
});
