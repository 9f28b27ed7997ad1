import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decode } from '../../src/image/decode.ts';
import { withKernel } from '../../src/image/kernel.ts';
import { resample, resamplePart } from '../../src/image/resample.ts';
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

describe('resamplePart', () => {
  const range = (a: number, b: number, size: number) => ({
    from: Math.min(a, b, size),
    to: Math.min(Math.max(a, b), size),
  });

  test('hands over exactly the part asked for, in order', () => {
    const side = fc.integer({ min: 1, max: 60 });
    const sides = fc.tuple(side, side, side, side);
    const ends = fc.tuple(fc.nat(60), fc.nat(60), fc.nat(60), fc.nat(60));
    fc.assert(
      fc.property(sides, ends, filters, fc.boolean(), ([w, h, width, height], [a, b, c, d], filter, same) => {
        const raster = noise({ width: same ? width : w, height: h });
        const rows = range(a, b, height);
        const columns = range(c, d, width);
        const wide = Math.max(0, columns.to - columns.from);
        const found: number[] = [];
        let next = rows.from;
        resamplePart(raster, { width, height }, filter, { columns, rows }, (made) => {
          assert.equal(made.first, next);
          assert.equal(made.data.length, made.count * wide * 3);
          next += made.count;
          found.push(...made.data);
        });
        const whole = resample(raster, { width, height }, filter).data;
        const expected: number[] = [];
        for (let y = rows.from; y < rows.to; y++) {
          expected.push(...whole.subarray((y * width + columns.from) * 3, (y * width + columns.to) * 3));
        }
        assert.deepEqual(found, expected);
      }),
      { numRuns: 300 },
    );
  });

  test('makes a part of a picture that would be too large as a whole', () => {
    const raster = noise({ width: 30_000, height: 1 });
    const part = { columns: { from: 5e6, to: 5e6 + 336 }, rows: { from: 0, to: 336 } };
    let rows = 0;
    resamplePart(raster, { width: 336 * 30_000, height: 336 }, 'bicubic', part, ({ count, data }) => {
      rows += count;
      assert.equal(data.length, count * 336 * 3);
    });
    assert.equal(rows, 336);
    withKernel(1000, ({ memory }) => assert.ok(memory.buffer.byteLength < 4e6));
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
