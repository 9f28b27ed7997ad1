import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode } from '../../src/image/decode.ts';
import { decodedSize, readHeader } from '../../src/image/read-header.ts';

/** A row of pillow-pixels.json, which test/fixtures/pillow-pixels.py writes with Pillow 12.3. */
interface Case {
  readonly kind: string;
  readonly name: string;
  /** Of Pillow's pixels, orientation applied. */
  readonly width: number;
  readonly height: number;
  readonly sha256?: string;
  /** Of AVIF: the pixels, in base64. */
  readonly rgb?: string;
  readonly file: string;
}

const fixture = new URL('../../../test/fixtures/pillow-pixels.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixture, 'utf8')) as readonly Case[];

for (const kind of new Set(cases.map((row) => row.kind))) {
  const rows = cases.filter((row) => row.kind === kind);
  test(`gives Pillow's pixels, and their size from the header: ${kind}, ${rows.length} files`, async () => {
    for (const { name, width, height, sha256, rgb, file } of rows) {
      const bytes = Buffer.from(file, 'base64');
      const raster = await decode(bytes, { exif: 'apply', maxPixels: 1e6 });
      assert.deepEqual([raster.width, raster.height], [width, height], name);
      assert.deepEqual(decodedSize(await readHeader(bytes), 'apply'), { width, height }, name);
      if (sha256 !== undefined) {
        assert.equal(createHash('sha256').update(raster.data).digest('hex'), sha256, name);
      } else {
        // libheif rounds colours otherwise than libavif, and dividing by alpha makes more of it.
        const limit = name.startsWith('premultiplied') ? 2 : 1;
        const wanted = Buffer.from(rgb!, 'base64');
        const furthest = Math.max(...raster.data.map((value, i) => Math.abs(value - wanted[i]!)));
        assert.ok(furthest <= limit, `${name}: ${furthest} levels off`);
      }
    }
  });
}

test('gives the pixels as stored when told to ignore the orientation, and their size from the header', async () => {
  for (const { kind, name, width, height, file } of cases) {
    if (kind === 'AVIF' || !kind.startsWith('orientation')) continue;
    const bytes = Buffer.from(file, 'base64');
    const raster = await decode(bytes, { exif: 'ignore', maxPixels: 1e6 });
    assert.deepEqual([raster.width, raster.height], [12, 8], `${kind}: ${name}, ${width} x ${height}`);
    assert.deepEqual(decodedSize(await readHeader(bytes), 'ignore'), { width: 12, height: 8 });
  }
});
