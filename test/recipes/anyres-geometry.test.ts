import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  anyresGeometry,
  fitCentred,
  gridsUpTo,
  limitedSize,
  selectTileGrid,
} from '../../src/recipes/anyres-geometry.ts';
import { model } from './model.ts';

const grids = gridsUpTo({ columns: 3, rows: 3 });

describe('anyresGeometry', () => {
  test("equals LLaVA's for all 600 sizes of the table", () => {
    const [header, ...lines] = readFileSync('test/fixtures/anyres-geometry.csv', 'utf8').trim().split('\n');
    assert.equal(lines.length, 600);
    const got = lines.map((line) => {
      const [width, height] = line.split(',').map(Number);
      const image = { width: width!, height: height! };
      const { tileGrid, unpad, spatial } = anyresGeometry(image, model, { grids, maxTiles: 4 });
      const canvas = { width: tileGrid.columns * 512, height: tileGrid.rows * 512 };
      const { content, paste } = fitCentred(image, canvas);
      return Object.entries({
        width,
        height,
        ...tileGrid,
        resized_width: content.width,
        resized_height: content.height,
        ...paste,
        unpad_x: unpad.x,
        unpad_y: unpad.y,
        unpad_width: unpad.width,
        unpad_height: unpad.height,
        spatial_width: spatial.width,
        spatial_height: spatial.height,
      });
    });
    assert.equal(got[0]!.map(([name]) => name).join(','), header);
    assert.deepEqual(
      got.map((row) => row.map(([, value]) => value).join(',')),
      lines,
    );
  });

  test('reports whether the limit shrinks the map', () => {
    const image = { width: 1218, height: 1722 };
    assert.deepEqual(anyresGeometry(image, model, { grids, maxTiles: 4 }), {
      tileGrid: { columns: 3, rows: 3 },
      baseTokens: 1024,
      unpad: { x: 14, y: 0, width: 68, height: 96 },
      spatial: { width: 53, height: 76 },
      newlines: 0,
      resized: true,
    });
    const unlimited = anyresGeometry(image, model, { grids, maxTiles: 0 });
    assert.deepEqual(unlimited.spatial, { width: 68, height: 96 });
    assert.equal(unlimited.resized, false);
  });
});

describe('selectTileGrid', () => {
  test('chooses two tiles as soon as they show one pixel more', () => {
    assert.deepEqual(selectTileGrid({ width: 513, height: 512 }, 512, grids), { columns: 2, rows: 1 });
  });

  test('chooses no more columns and rows than allowed', () => {
    const image = { width: 3000, height: 3000 };
    assert.deepEqual(selectTileGrid(image, 512, gridsUpTo({ columns: 2, rows: 3 })), { columns: 2, rows: 2 });
    assert.deepEqual(selectTileGrid(image, 512, gridsUpTo({ columns: 1, rows: 1 })), { columns: 1, rows: 1 });
  });

  test('chooses one tile where the fitted image has no whole row in any grid', () => {
    assert.deepEqual(selectTileGrid({ width: 20_000, height: 1 }, 512, grids), { columns: 1, rows: 1 });
  });
});

describe('limitedSize', () => {
  test('leaves a map alone whose sides are at most 1.1 times too long', () => {
    assert.deepEqual(limitedSize({ width: 64, height: 76 }, 4, 1024), { width: 64, height: 76 });
    assert.deepEqual(limitedSize({ width: 64, height: 78 }, 4, 1024), { width: 57, height: 70 });
  });

  test('floors the exact quotient, as Python does', () => {
    // 39 // 1.3 is 29.0 in Python, while 39 / 1.3 rounds to 30.
    assert.deepEqual(limitedSize({ width: 39, height: 39 }, 1, 900), { width: 29, height: 29 });
  });
});
