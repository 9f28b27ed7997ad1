import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decode } from '../../src/image/decode.ts';
import { withKernel } from '../../src/image/kernel.ts';
import { resample, resampleRows } from '../../src/image/resample.ts';
import type { Resample } from '../../src/recipes/plan.ts';
import { noise } from './noise.ts';
import { scalarResample } from './scalar-resample.ts';

interface Digest {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly resample: Resample;
  readonly sha256: string;
}

const fixtures = new URL('../../../test/fixtures/', import.meta.url);
const digests = JSON.parse(readFileSync(new URL('resized-pixels.json', fixtures), 'utf8')) as Digest[];
const filters = fc.constantFrom<Resample>('bilinear', 'bicubic');

describe('resample', () => {
  for (const image of new Set(digests.map((digest) => digest.image))) {
    test(`gives Pillow's bytes for ${image}`, async () => {
      const bytes = readFileSync(new URL(`images/${image}`, fixtures));
      const raster = await decode(bytes, { exif: 'apply', maxPixels: 1e8 });
      for (const { width, height, resample: filter, sha256 } of digests.filter((d) => d.image === image)) {
        const { data } = resample(raster, { width, height }, filter);
        const found = createHash('sha256').update(data).digest('hex');
        assert.equal(found, sha256, `${width} x ${height} ${filter}`);
      }
    });
  }

  test('enlarges a ramp to the values that Pillow gives', () => {
    const raster = {
      width: 4,
      height: 1,
      data: Uint8Array.from([0, 60, 120, 180].flatMap((v) => [v, v, v])),
    };
    const { data } = resample(raster, { width: 8, height: 1 }, 'bilinear');
    const red = data.filter((_, i) => i % 3 === 0);
    assert.deepEqual(red, Uint8Array.of(0, 15, 45, 75, 105, 135, 165, 180));
  });

  test('equals a plain implementation at any sizes', () => {
    const side = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 150 }));
    const size = fc.record({ width: side, height: side });
    const seed = fc.nat();
    fc.assert(
      fc.property(size, size, filters, seed, fc.constantFrom(2, 256), (from, to, filter, start, levels) => {
        const raster = noise(from, start, levels);
        assert.deepEqual(resample(raster, to, filter), scalarResample(raster, to, filter));
      }),
      { numRuns: 200 },
    );
  });

  for (const [from, to] of [
    [
      [10_000, 10],
      [64, 64],
    ],
    [
      [10, 10_000],
      [64, 64],
    ],
    [
      [1, 3000],
      [20, 512],
    ],
    [
      [3000, 1],
      [512, 20],
    ],
    [
      [4, 401],
      [7, 401],
    ],
    [
      [4, 401],
      [7, 400],
    ],
    [
      [4, 401],
      [7, 402],
    ],
    [
      [700, 2500],
      [300, 2],
    ],
    [
      [2500, 700],
      [2, 300],
    ],
    [
      [1, 1],
      [512, 3],
    ],
    [
      [33, 1200],
      [120, 1200],
    ],
    [
      [120, 1200],
      [120, 33],
    ],
  ] as const) {
    test(`equals a plain implementation from ${from.join(' x ')} to ${to.join(' x ')}`, () => {
      const raster = noise({ width: from[0], height: from[1] }, 3, 2);
      const size = { width: to[0], height: to[1] };
      for (const filter of ['bilinear', 'bicubic'] as const) {
        assert.deepEqual(resample(raster, size, filter), scalarResample(raster, size, filter));
      }
    });
  }

  test('gives a copy when no side changes', () => {
    const raster = noise({ width: 20, height: 10 });
    const same = resample(raster, { width: 20, height: 10 }, 'bicubic');
    assert.deepEqual(same, raster);
    assert.notEqual(same.data.buffer, raster.data.buffer);
  });
});

describe('resampleRows', () => {
  test('hands over exactly the rows asked for, in order', () => {
    const side = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.nat(60),
        fc.nat(60),
        filters,
        (w, h, width, height, a, b, filter) => {
          const raster = noise({ width: w, height: h });
          const range = { from: Math.min(a, b, height), to: Math.min(Math.max(a, b), height) };
          const found: number[] = [];
          let next = range.from;
          resampleRows(raster, { width, height }, filter, range, (rows) => {
            assert.equal(rows.first, next);
            assert.equal(rows.data.length, rows.count * width * 3);
            next += rows.count;
            found.push(...rows.data);
          });
          assert.equal(next, Math.max(range.to, range.from));
          const whole = resample(raster, { width, height }, filter).data;
          assert.deepEqual(found, [...whole.subarray(range.from * width * 3, range.to * width * 3)]);
        },
      ),
    );
  });
});

describe('the kernel', () => {
  test('keeps its memory for the next image', () => {
    const buffer = withKernel(1000, ({ memory }) => memory.buffer);
    assert.equal(
      withKernel(1000, ({ memory }) => memory.buffer),
      buffer,
    );
  });

  test('does not keep the memory that one large image took', () => {
    withKernel(40e6, ({ memory }) => assert.ok(memory.buffer.byteLength >= 40e6));
    withKernel(1000, ({ memory }) => assert.ok(memory.buffer.byteLength < 1e6));
  });

  test('takes little memory for a large photograph', () => {
    resample(noise({ width: 20_000, height: 200 }), { width: 512, height: 512 }, 'bicubic');
    withKernel(1000, ({ memory }) => assert.ok(memory.buffer.byteLength < 4e6));
  });
});
