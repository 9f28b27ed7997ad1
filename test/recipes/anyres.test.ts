import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyresAssemblies, anyresDefaults, planAnyres } from '../../src/recipes/anyres.ts';
import type { AnyresOptions } from '../../src/recipes/anyres.ts';
import { planCost } from '../../src/recipes/cost.ts';
import type { Size } from '../../src/recipes/plan.ts';
import { modelOf, planCases } from './golden-plans.ts';
import { coverOf, viewOffsets } from './map-cover.ts';
import { model } from './model.ts';

const model27 = { ...model, imageSize: 384, patchSize: 14, grid: { width: 27, height: 27 } };
const plan = (width: number, height: number, options: Partial<AnyresOptions> = {}, of = model) =>
  planAnyres({ width, height }, of, { ...anyresDefaults, ...options });

const side = fc.oneof(
  fc.constantFrom(1, 2, 511, 512, 513, 1024, 1536, 20_000),
  fc.integer({ min: 1, max: 2000 }),
  fc.integer({ min: 1, max: 20_000 }),
);
const tileCount = fc.integer({ min: 1, max: 3 });
const anyOptions: fc.Arbitrary<Required<AnyresOptions>> = fc.record({
  maxGrid: fc.record({ columns: tileCount, rows: tileCount }),
  maxTiles: fc.integer({ min: 0, max: 10 }),
  assembly: fc.constantFrom(...anyresAssemblies),
  resample: fc.constantFrom('bilinear', 'bicubic'),
});
const anyModel = fc.constantFrom(model, model27, { ...model, imageSize: 64, grid: { width: 1, height: 1 } });

describe('planAnyres', () => {
  test('squashes a base view, then fits the image into the best grid and cuts its tiles', () => {
    const origin = { left: 0, top: 0 };
    const view = { width: 512, height: 512 };
    assert.deepEqual(plan(640, 427), {
      recipe: 'anyres',
      viewSize: 512,
      viewGrid: { width: 32, height: 32 },
      channels: 48,
      canvases: [
        { content: view, resample: 'bicubic', size: view, paste: origin, views: [origin] },
        {
          content: { width: 768, height: 512 },
          resample: 'bicubic',
          size: { width: 1024, height: 512 },
          paste: { left: 128, top: 0 },
          views: [origin, { left: 512, top: 0 }],
        },
      ],
      assembly: {
        kind: 'anyres',
        map: { columns: 2, rows: 1, stride: { width: 32, height: 32 }, views: [1, 2] },
        unpad: { x: 8, y: 0, width: 48, height: 32 },
        limited: { width: 48, height: 32 },
        newline: false,
      },
      shape: [2560, 48],
      grid: { width: 32, height: 32 },
      anyres: {
        tileGrid: { columns: 2, rows: 1 },
        baseTokens: 1024,
        unpad: { x: 8, y: 0, width: 48, height: 32 },
        spatial: { width: 48, height: 32 },
        newlines: 0,
        resized: false,
      },
    });
  });

  test('uses the requested filter for the base view and the tiles', () => {
    const { canvases } = plan(640, 427, { resample: 'bilinear' });
    assert.deepEqual(
      canvases.map(({ resample }) => resample),
      ['bilinear', 'bilinear'],
    );
  });

  test('plans the geometry and the shape of every golden case', () => {
    const cases = planCases('AnyResEncode');
    assert.ok(cases.length >= 6);
    for (const golden of cases) {
      const { size, geometry, max_tiles: maxTiles, resample } = golden;
      assert.ok(size && geometry && maxTiles !== undefined && resample);
      const options = { maxTiles: maxTiles ?? 0, resample };
      const { anyres, shape } = plan(size[0], size[1], options, modelOf(golden));
      const [columns, rows] = geometry.grid;
      const [x, y, width, height] = geometry.unpad;
      assert.deepEqual(
        anyres,
        {
          tileGrid: { columns, rows },
          baseTokens: geometry.base_tokens,
          unpad: { x, y, width, height },
          spatial: { width: geometry.spatial[0], height: geometry.spatial[1] },
          newlines: 0,
          resized: geometry.resized,
        },
        golden.expected,
      );
      assert.deepEqual(shape, golden.shape);
      assert.equal(shape[0], geometry.base_tokens + geometry.spatial_tokens);
    }
  });

  test("answers base tokens alone, with one view and the map's true size, where no row is kept", () => {
    for (const [image, spatial] of [
      [
        { width: 10_000, height: 10 },
        { width: 96, height: 0 },
      ],
      [
        { width: 10, height: 10_000 },
        { width: 0, height: 96 },
      ],
    ] as const) {
      const extreme = plan(image.width, image.height);
      assert.deepEqual(extreme.shape, [1024, 48]);
      assert.deepEqual(extreme.anyres!.spatial, spatial);
      assert.equal(extreme.canvases.length, 1);
      assert.ok(extreme.assembly.kind === 'anyres');
      assert.deepEqual(extreme.assembly.map.views, [null, null, null]);
    }
  });

  test('stacks every tile, even those that are all padding', () => {
    const stacked = plan(10_000, 10, { assembly: 'tiles' });
    assert.deepEqual(stacked.assembly, { kind: 'stack' });
    assert.deepEqual(stacked.shape, [4, 1024, 48]);
    assert.equal(stacked.canvases[1]!.views.length, 3);
    assert.deepEqual(stacked.anyres, plan(10_000, 10).anyres);
  });

  test('needs 1 + 1 views for the smallest image and 1 + 9 for the largest', () => {
    assert.equal(planCost(plan(1, 1)).views, 2);
    assert.equal(planCost(plan(20_000, 20_000)).views, 10);
  });

  test('covers the canvas once with tiles, for any image, model and options', () => {
    fc.assert(
      fc.property(side, side, anyModel, anyOptions, (width, height, of, options) => {
        const { canvases } = planAnyres({ width, height }, of, { ...options, assembly: 'tiles' });
        const canvas = canvases[1]!;
        const columns = canvas.size.width / of.imageSize;
        const rows = canvas.size.height / of.imageSize;
        assert.ok(columns <= options.maxGrid.columns && rows <= options.maxGrid.rows);
        assert.deepEqual(
          canvas.views,
          Array.from({ length: rows * columns }, (_, tile) => ({
            left: (tile % columns) * of.imageSize,
            top: Math.floor(tile / columns) * of.imageSize,
          })),
        );
      }),
    );
  });

  test('puts the whole fitted image on the canvas, touching two opposite edges', () => {
    fc.assert(
      fc.property(side, side, anyModel, anyOptions, (width, height, of, options) => {
        const { canvases } = planAnyres({ width, height }, of, { ...options, assembly: 'tiles' });
        const { content, paste, size } = canvases[1]!;
        assert.ok(content.width >= 1 && content.height >= 1 && paste.left >= 0 && paste.top >= 0);
        assert.ok(content.width === size.width || content.height === size.height);
        const right = size.width - content.width - paste.left;
        const below = size.height - content.height - paste.top;
        assert.ok(right - paste.left === 0 || right - paste.left === 1);
        assert.ok(below - paste.top === 0 || below - paste.top === 1);
      }),
    );
  });

  test('encodes only the tiles of which a token is kept, each at its position on the map', () => {
    fc.assert(
      fc.property(side, side, anyModel, anyOptions, (width, height, of, options) => {
        const made = planAnyres({ width, height }, of, { ...options, assembly: 'merge' });
        assert.ok(made.assembly.kind === 'anyres');
        const { map, unpad, limited } = made.assembly;
        const cover = coverOf(map, of.grid);
        assert.ok(unpad.x >= 0 && unpad.x + unpad.width <= cover.width);
        assert.ok(unpad.y >= 0 && unpad.y + unpad.height <= cover.height);
        const answered = limited.width * limited.height > 0;
        const offsets = viewOffsets(made);
        let next = 1;
        map.views.forEach((view, tile) => {
          const left = (tile % map.columns) * of.grid.width;
          const top = Math.floor(tile / map.columns) * of.grid.height;
          const kept = tokensWithin(unpad, { left, top }, of.grid);
          assert.equal(view, answered && kept > 0 ? next : null);
          if (view === null) return;
          next++;
          assert.deepEqual(offsets[view], {
            left: (left / of.grid.width) * of.imageSize,
            top: (top / of.grid.height) * of.imageSize,
          });
        });
        assert.equal(offsets.length, next);
      }),
    );
  });

  test('plans at most 10 views and the shape that their assembly gives, the same every time', () => {
    fc.assert(
      fc.property(side, side, anyModel, anyOptions, (width, height, of, options) => {
        const made = planAnyres({ width, height }, of, options);
        assert.deepEqual(planAnyres({ width, height }, of, options), made);
        const { views } = planCost(made);
        const { unpad, spatial, resized, tileGrid } = made.anyres!;
        assert.ok(views <= 10);
        assert.ok(spatial.width <= unpad.width && spatial.height <= unpad.height);
        assert.equal(resized, spatial.width < unpad.width || spatial.height < unpad.height);
        if (options.maxTiles === 0) assert.equal(resized, false);
        const base = of.grid.width * of.grid.height;
        if (options.assembly === 'tiles') {
          assert.deepEqual(made.shape, [views, base, of.channels]);
          assert.equal(views, 1 + tileGrid.columns * tileGrid.rows);
        } else {
          assert.deepEqual(made.shape, [base + spatial.width * spatial.height, of.channels]);
        }
      }),
    );
  });
});

function tokensWithin(
  rect: Size & { readonly x: number; readonly y: number },
  tile: { readonly left: number; readonly top: number },
  grid: Size,
): number {
  const across = Math.min(rect.x + rect.width, tile.left + grid.width) - Math.max(rect.x, tile.left);
  const down = Math.min(rect.y + rect.height, tile.top + grid.height) - Math.max(rect.y, tile.top);
  return Math.max(0, across) * Math.max(0, down);
}
