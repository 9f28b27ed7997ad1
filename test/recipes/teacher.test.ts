import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { planCost } from '../../src/recipes/cost.ts';
import { channelOrders, fusions, teacherWindows } from '../../src/recipes/plan.ts';
import { planTeacher, teacherDefaults } from '../../src/recipes/teacher.ts';
import type { TeacherOptions } from '../../src/recipes/teacher.ts';
import { modelOf, planCases } from './golden-plans.ts';
import { coverOf, viewOffsets } from './map-cover.ts';
import { model } from './model.ts';

const model27 = { ...model, imageSize: 384, patchSize: 14, grid: { width: 27, height: 27 } };
const plan = (options: Partial<TeacherOptions> = {}, of = model) =>
  planTeacher(of, { ...teacherDefaults, ...options });

function fused(options: Partial<TeacherOptions> = {}, of = model) {
  const { assembly } = plan(options, of);
  assert.ok(assembly.kind === 'fuse');
  return assembly;
}

describe('planTeacher', () => {
  test('squashes to 512 and 1024, cuts 1 + 4 views and averages 1:1 by default', () => {
    const square = (side: number) => ({ width: side, height: side });
    const origin = { left: 0, top: 0 };
    const own = { name: model.name, digest: model.digest };
    assert.deepEqual(plan(), {
      recipe: 'teacher',
      viewSize: 512,
      viewGrid: square(32),
      channels: 48,
      canvases: [
        { content: square(512), resample: 'bilinear', size: square(512), paste: origin, views: [origin] },
        {
          content: square(1024),
          resample: 'bilinear',
          size: square(1024),
          paste: origin,
          views: [origin, { left: 512, top: 0 }, { left: 0, top: 512 }, { left: 512, top: 512 }],
        },
      ],
      assembly: {
        kind: 'fuse',
        maps: [
          { columns: 1, rows: 1, stride: square(32), views: [0] },
          { columns: 2, rows: 2, stride: square(32), views: [1, 2, 3, 4] },
        ],
        fusion: 'average',
        weights: [0.5, 0.5],
        channelOrder: 'torch',
      },
      shape: [1024, 48],
      grid: square(32),
      teacher: {
        scales: [512, 1024],
        weights: [0.5, 0.5],
        fusion: 'average',
        windows: 'tiles',
        models: [own, own],
      },
    });
  });

  test("takes its scales from another model's image size", () => {
    const { canvases, shape } = plan({}, model27);
    assert.deepEqual(
      canvases.map(({ size }) => size.width),
      [384, 768],
    );
    assert.deepEqual(shape, [729, 48]);
  });

  test('cuts 3 x 3 windows of 1024 at a stride of half a view', () => {
    const half = plan({ windows: 'half_overlap' });
    assert.deepEqual(
      half.canvases[1]!.views.map(({ left, top }) => [left, top]),
      [0, 256, 512].flatMap((top) => [0, 256, 512].map((left) => [left, top])),
    );
    assert.deepEqual(fused({ windows: 'half_overlap' }).maps[1], {
      columns: 3,
      rows: 3,
      stride: { width: 16, height: 16 },
      views: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    });
  });

  test("uses the requested grid and channel order, and the model's filter", () => {
    const other = plan({ grid: { width: 37, height: 20 } });
    assert.ok(other.canvases.every(({ resample }) => resample === model.resample));
    assert.deepEqual(other.grid, { width: 37, height: 20 });
    assert.deepEqual(other.shape, [740, 48]);
    const unshuffled = fused({ fusion: 'unshuffle_concat', channelOrder: 'internvl' });
    assert.equal(unshuffled.channelOrder, 'internvl');
    assert.deepEqual(plan({ fusion: 'concat', grid: { width: 37, height: 37 } }).shape, [1369, 96]);
  });

  test('concatenating adds up channels, and unshuffling multiplies them by the square of each ratio', () => {
    const scales = [512, 1024, 2048];
    assert.deepEqual(plan({ scales, fusion: 'concat' }).shape, [1024, 3 * 48]);
    assert.deepEqual(plan({ scales, fusion: 'unshuffle_concat' }).shape, [1024, 21 * 48]);
    assert.deepEqual(plan({ scales: [1024], fusion: 'unshuffle_concat' }).shape, [1024, 4 * 48]);
  });

  test('scales any weights to sum 1', () => {
    assert.deepEqual(fused({ weights: [1, 3] }).weights, [0.25, 0.75]);
    assert.deepEqual(fused({ weights: [1e-9, 3e-9] }).weights.map(Math.fround), [0.25, 0.75]);
    assert.deepEqual(fused({ scales: [1024], weights: [7] }).weights, [1]);
  });

  test('keeps the order in which scales are given', () => {
    const { canvases } = plan({ scales: [1024, 512], fusion: 'concat' });
    assert.deepEqual(
      canvases.map(({ size, views }) => [size.width, views.length]),
      [
        [1024, 4],
        [512, 1],
      ],
    );
  });

  test('four scales of tiles need exactly the 30 views of the limit', () => {
    assert.equal(planCost(plan({ scales: [512, 1024, 1536, 2048] })).views, 30);
  });

  test("windows=whole needs no other model at the model's own image size", () => {
    const { teacher: whole, ...plain } = plan({ scales: [512], windows: 'whole' });
    const { teacher: tiles, ...same } = plan({ scales: [512] });
    assert.deepEqual(plain, same);
    assert.deepEqual(whole, { ...tiles, windows: 'whole' });
  });

  test('windows=whole encodes a larger scale with the served model of that image size and tower', () => {
    const digest = `sha256:${'2'.repeat(64)}`;
    const larger = { ...model, name: 'larger', digest, imageSize: 1024, grid: { width: 64, height: 64 } };
    const stranger = { ...larger, name: 'stranger', towerDigest: '1'.repeat(64) };
    const { canvases, assembly, teacher } = planTeacher(model, { ...teacherDefaults, windows: 'whole' }, [
      model,
      stranger,
      larger,
    ]);
    const viewGrid = { width: 64, height: 64 };
    assert.deepEqual(
      canvases.map(({ size, views, encoder }) => ({ size: size.width, views: views.length, encoder })),
      [
        { size: 512, views: 1, encoder: undefined },
        {
          size: 1024,
          views: 1,
          encoder: { model: 'larger', digest: larger.digest, viewSize: 1024, viewGrid },
        },
      ],
    );
    assert.deepEqual(teacher?.models, [
      { name: model.name, digest: model.digest },
      { name: 'larger', digest },
    ]);
    assert.ok(assembly.kind === 'fuse');
    assert.deepEqual(assembly.maps[1], { columns: 1, rows: 1, stride: viewGrid, views: [1], viewGrid });
  });

  test('refuses to rearrange a whole map that is not a multiple of the grid', () => {
    const base = { ...model27, resize: 'squash' } as const;
    const larger = { ...base, name: 'larger', imageSize: 1152, grid: { width: 82, height: 82 } };
    const options = { ...teacherDefaults, scales: [384, 1152], windows: 'whole' } as const;
    planTeacher(base, options, [base, larger]);
    assert.throws(() => planTeacher(base, { ...options, fusion: 'unshuffle_concat' }, [base, larger]), {
      code: 'invalid_argument',
      message: /multiples of 27x27 tokens, but the whole scale of 1152 px has 82x82/,
    });
  });

  test('answers the shape of every golden case', () => {
    const cases = planCases('TeacherEncode').filter(({ windows = '' }) => !windows.startsWith('whole'));
    assert.ok(cases.length >= 14);
    for (const golden of cases) {
      const { scales, weights, fusion = 'average', windows, grid } = golden;
      const { shape } = plan(
        {
          fusion,
          ...(scales && { scales }),
          ...(weights && { weights }),
          ...(windows === 'half_overlap' && { windows }),
          ...(grid && { grid: { width: grid[0], height: grid[1] } }),
        },
        modelOf(golden),
      );
      assert.deepEqual(shape, golden.shape, golden.expected);
    }
  });

  test('covers every map with views that lie where their tokens lie, for any valid options', () => {
    fc.assert(
      fc.property(
        fc.subarray([1, 2, 3, 4], { minLength: 1 }),
        fc.constantFrom(...fusions),
        fc.constantFrom(...teacherWindows.filter((windows) => windows !== 'whole')),
        fc.constantFrom(...channelOrders),
        fc.constantFrom(model, model27),
        (factors, fusion, windows, channelOrder, of) => {
          const options = {
            scales: factors.map((factor) => factor * of.imageSize),
            fusion,
            windows,
            ...(fusion === 'unshuffle_concat' ? { channelOrder } : {}),
          };
          const perSide = factors.map((factor) => (windows === 'tiles' ? factor : 2 * factor - 1));
          const count = perSide.reduce((sum, side) => sum + side * side, 0);
          fc.pre(count <= 30 && !(windows === 'half_overlap' && of === model27));
          const made = planTeacher(of, options);
          assert.deepEqual(planTeacher(of, options), made);
          assert.equal(planCost(made).views, count);
          assert.ok(made.assembly.kind === 'fuse');
          const { maps, weights } = made.assembly;
          assert.deepEqual(
            maps.flatMap(({ views }) => views),
            Array.from({ length: count }, (_, index) => index),
          );
          assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-15);
          const offsets = viewOffsets(made);
          let channels = 0;
          for (const [index, layout] of maps.entries()) {
            const { width, height, counts } = coverOf(layout, of.grid);
            assert.equal(width, factors[index]! * of.grid.width);
            assert.equal(height, factors[index]! * of.grid.height);
            assert.ok(counts.every((views) => (windows === 'tiles' ? views === 1 : views >= 1)));
            layout.views.forEach((view, position) => {
              const { left, top } = offsets[view!]!;
              const column = position % layout.columns;
              assert.equal(left / of.imageSize, (column * layout.stride.width) / of.grid.width);
              assert.equal(
                top / of.imageSize,
                (((position - column) / layout.columns) * layout.stride.height) / of.grid.height,
              );
              assert.ok(left + of.imageSize <= made.canvases[index]!.size.width);
              assert.ok(top + of.imageSize <= made.canvases[index]!.size.height);
            });
            const ratio = width / made.grid.width;
            channels += of.channels * (fusion === 'unshuffle_concat' ? ratio ** 2 : 1);
          }
          if (fusion === 'average') channels = of.channels;
          assert.deepEqual(made.shape, [of.grid.width * of.grid.height, channels]);
        },
      ),
    );
  });
});

describe('planTeacher refuses, and says what would be right,', () => {
  const refusals: readonly [string, Partial<TeacherOptions>, string, string, typeof model?][] = [
    [
      'a scale that is no multiple of the image size',
      { scales: [512, 700] },
      'invalid_argument',
      "The scale 700 is not 1, 2, 3 or 4 times the model's image size of 512; use one or more of 512, 1024, 1536, 2048.",
    ],
    [
      'a scale over 4 times the image size',
      { scales: [1920] },
      'invalid_argument',
      "The scale 1920 is not 1, 2, 3 or 4 times the model's image size of 384; use one or more of 384, 768, 1152, 1536.",
      model27,
    ],
    [
      'a scale that is not a number',
      { scales: [Number.NaN] },
      'invalid_argument',
      "The scale NaN is not 1, 2, 3 or 4 times the model's image size of 512; use one or more of 512, 1024, 1536, 2048.",
    ],
    [
      'a scale twice',
      { scales: [512, 1024, 512] },
      'invalid_argument',
      'The scale 512 is given twice; give each scale once, and its share with weights.',
    ],
    [
      'more weights than scales',
      { weights: [1, 2, 3] },
      'invalid_argument',
      'Give one weight for each scale (512, 1024); there are 3.',
    ],
    [
      'fewer weights than scales',
      { weights: [] },
      'invalid_argument',
      'Give one weight for each scale (512, 1024); there are 0.',
    ],
    [
      'a weight of 0',
      { weights: [1, 0] },
      'invalid_argument',
      'The weight 0 is invalid; weights must be positive finite numbers, such as 1,1.',
    ],
    [
      'a negative weight',
      { weights: [-1, 2] },
      'invalid_argument',
      'The weight -1 is invalid; weights must be positive finite numbers, such as 1,1.',
    ],
    [
      'an infinite weight',
      { weights: [1, Infinity] },
      'invalid_argument',
      'The weight Infinity is invalid; weights must be positive finite numbers, such as 1,1.',
    ],
    [
      'weights without a finite sum',
      { weights: [1e308, 1e308] },
      'invalid_argument',
      'The sum of the weights is not finite; use smaller weights, since only their proportions count.',
    ],
    [
      'weights where nothing is averaged',
      { weights: [1, 1], fusion: 'concat' },
      'invalid_argument',
      'weights only apply to fusion=average; leave them out with fusion=concat.',
    ],
    [
      'half_overlap of 27 x 27 tokens',
      { windows: 'half_overlap' },
      'invalid_argument',
      'windows=half_overlap needs an even image size and an even token grid, so that half a view is a whole number of tokens; this model has 384 px and 27 x 27 tokens. Use windows=tiles.',
      model27,
    ],
    [
      'half_overlap of an odd image size',
      { windows: 'half_overlap' },
      'invalid_argument',
      'windows=half_overlap needs an even image size and an even token grid, so that half a view is a whole number of tokens; this model has 225 px and 14 x 14 tokens. Use windows=tiles.',
      { ...model, imageSize: 225, grid: { width: 14, height: 14 } },
    ],
    [
      'windows=whole without a model of that image size',
      { windows: 'whole' },
      'invalid_argument',
      'windows=whole at scale 1024 needs a second served model of the same checkpoint, precision and list of layers (--features), imported with --image-size 1024, and none is served. Use windows=tiles.',
    ],
    [
      'more than 30 views',
      { scales: [512, 1024, 1536], windows: 'half_overlap' },
      'too_large',
      'These scales need 35 views with windows=half_overlap; the limit is 30. Use windows=tiles, or fewer or smaller scales.',
    ],
    [
      'a grid of no tokens',
      { grid: { width: 0, height: 37 } },
      'invalid_argument',
      'The grid 0x37 is invalid; width and height must be positive whole numbers, such as 32x32.',
    ],
    [
      'a grid with a fraction of a token',
      { grid: { width: 37, height: 36.5 } },
      'invalid_argument',
      'The grid 37x36.5 is invalid; width and height must be positive whole numbers, such as 32x32.',
    ],
    [
      'a grid larger than any map',
      { grid: { width: 128, height: 129 } },
      'too_large',
      'The grid 128x129 is larger than any map of this model; the largest grid is 128x128.',
    ],
    [
      'a channel order where none is chosen',
      { channelOrder: 'torch' },
      'invalid_argument',
      'channel_order only applies to fusion=unshuffle_concat; leave it out with fusion=average.',
    ],
    [
      'another grid for unshuffle_concat',
      { fusion: 'unshuffle_concat', grid: { width: 16, height: 16 } },
      'invalid_argument',
      "fusion=unshuffle_concat answers the model's grid of 32x32, not 16x16. Leave grid out, or use fusion=average or concat.",
    ],
  ];
  for (const [what, options, code, message, of] of refusals) {
    test(what, () => {
      assert.throws(() => plan(options, of), { name: 'ServiceError', code, message });
    });
  }
});
