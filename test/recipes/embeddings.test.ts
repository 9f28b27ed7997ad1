import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Model } from '../../src/model/model.ts';
import { planCost } from '../../src/recipes/cost.ts';
import { planRecipe } from '../../src/recipes/planner.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';
import { teacherDefaults } from '../../src/recipes/teacher.ts';
import { model } from './model.ts';

const grid = { width: 32, height: 32 };
const mlp: Model = {
  ...model,
  projector: { family: 'llava-next', digest: 'sha256:1', hiddenSize: 80, grid, anyGrid: true, newline: true },
};
const pooling: Model = {
  ...model,
  projector: {
    family: 'gemma3',
    digest: 'sha256:2',
    hiddenSize: 80,
    grid: { width: 8, height: 8 },
    anyGrid: false,
    newline: false,
  },
};
const teacher = { recipe: 'teacher', ...teacherDefaults } as const;
const anyres = { recipe: 'anyres' } as const;
const image = { width: 640, height: 427 };

const plan = (of: Model, recipe: RecipeOptions, size = image) =>
  planRecipe(size, of, recipe, [of], 'embeddings');

describe('a plan of embeddings', () => {
  test('has the rows and the width of the projector in one view', () => {
    const { shape, grid: rows, channels } = plan(pooling, { recipe: 'encode' });
    assert.deepEqual([shape, rows, channels], [[64, 80], { width: 8, height: 8 }, 80]);
    assert.equal(planCost(plan(pooling, { recipe: 'encode' })).values, 64 * 80);
  });

  test('projects a teacher after its scales are fused', () => {
    const { shape, grid: rows, channels, viewGrid, fused } = plan(pooling, teacher);
    assert.deepEqual([shape, rows], [[64, 80], { width: 8, height: 8 }]);
    assert.deepEqual(fused, { shape: [1024, 48], grid });
    assert.deepEqual([channels, viewGrid], [48, grid], 'its views are features');
    assert.deepEqual(plan(mlp, { ...teacher, grid: { width: 37, height: 37 } }).shape, [1369, 80]);
  });

  test('refuses a teacher whose features the projector does not take', () => {
    assert.throws(() => plan(mlp, { ...teacher, fusion: 'concat' }), {
      code: 'invalid_argument',
      message: /features of 48 channels.*gives 96/,
    });
    assert.throws(() => plan(pooling, { ...teacher, grid: { width: 37, height: 37 } }), {
      code: 'invalid_argument',
      message: /map of 32x32 tokens/,
    });
  });

  test('has a newline row after each line of an AnyRes map, and none where the projector has no newline', () => {
    const merged = plan(mlp, { ...anyres, maxTiles: 4 });
    assert.deepEqual(merged.anyres?.spatial, { width: 48, height: 32 });
    assert.equal(merged.anyres?.newlines, 32);
    assert.deepEqual(merged.shape, [1024 + 48 * 32 + 32, 80]);
    const thin = plan(mlp, { ...anyres, maxTiles: 4 }, { width: 1, height: 600 });
    assert.deepEqual([thin.anyres?.spatial.width, thin.anyres?.newlines], [0, 64]);
    assert.deepEqual(thin.shape, [1024 + 64, 80]);
    assert.equal(plan(pooling, { ...anyres, maxTiles: 4 }).anyres?.newlines, 0);
    assert.equal(plan(mlp, { ...anyres, assembly: 'tiles' }).anyres?.newlines, 0);
  });
});

describe("a model's own AnyRes", () => {
  const grids = [
    { columns: 5, rows: 1 },
    { columns: 1, rows: 5 },
  ];
  const own: Model = { ...model, anyres: { grids, resample: 'bilinear', maxTiles: 0 } };
  const chosen = (recipe: RecipeOptions) => {
    const { anyres: geometry, canvases } = planRecipe({ width: 3000, height: 600 }, own, recipe);
    return [geometry?.tileGrid, canvases[0]!.resample];
  };

  test("is planned where no option is named, and the service's where any is", () => {
    assert.deepEqual(chosen(anyres), [{ columns: 5, rows: 1 }, 'bilinear']);
    const service = [{ columns: 3, rows: 1 }, 'bicubic'];
    assert.deepEqual(chosen({ ...anyres, maxTiles: 4 }), service);
    assert.deepEqual(chosen({ ...anyres, assembly: 'merge' }), service);
    assert.deepEqual(chosen({ ...anyres, maxGrid: { columns: 3, rows: 3 } }), service);
  });
});
