import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRecipe } from '../../src/recipes/planner.ts';
import { teacherDefaults } from '../../src/recipes/teacher.ts';
import { model } from './model.ts';

const recipes = [
  { recipe: 'encode' },
  { recipe: 'teacher', ...teacherDefaults },
  { recipe: 'anyres' },
] as const;

for (const recipe of recipes)
  test(`a size that no image has is refused for ${recipe.recipe}`, () => {
    for (const [width, height] of [
      [0, 10],
      [10, -1],
      [Number.NaN, 10],
      [10, 2.5],
    ] as const) {
      assert.throws(() => planRecipe({ width, height }, model, recipe), {
        name: 'ServiceError',
        code: 'invalid_argument',
        message: `The image size is ${width} x ${height} pixels; width and height must be positive whole numbers.`,
      });
    }
  });
