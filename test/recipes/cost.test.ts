import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyresDefaults, planAnyres } from '../../src/recipes/anyres.ts';
import { planCost } from '../../src/recipes/cost.ts';
import { planEncode } from '../../src/recipes/encode.ts';
import { planTeacher, teacherDefaults } from '../../src/recipes/teacher.ts';
import { model } from './model.ts';

const image = { width: 1218, height: 1722 };

describe('planCost', () => {
  test('counts views, tokens and values of every recipe', () => {
    assert.deepEqual(planCost(planEncode(image, model)), {
      views: 1,
      load: 1,
      tokens: 1024,
      values: 1024 * 48,
    });
    assert.deepEqual(planCost(planTeacher(model, teacherDefaults)), {
      views: 5,
      load: 5,
      tokens: 1024,
      values: 1024 * 48,
    });
    assert.deepEqual(planCost(planAnyres(image, model, anyresDefaults)), {
      views: 10,
      load: 10,
      tokens: 5052,
      values: 5052 * 48,
    });
  });

  test('counts a view of another size by its pixels', () => {
    const larger = { ...model, name: 'larger', imageSize: 1536, grid: { width: 96, height: 96 } };
    const whole = { ...teacherDefaults, scales: [512, 1536], windows: 'whole' } as const;
    const { views, load } = planCost(planTeacher(model, whole, [model, larger]));
    assert.deepEqual([views, load], [2, 10]);
  });

  test('counts the tokens of all views of a stack, and the channels of a concatenation', () => {
    assert.deepEqual(planCost(planAnyres(image, model, { ...anyresDefaults, assembly: 'tiles' })), {
      views: 10,
      load: 10,
      tokens: 10_240,
      values: 10_240 * 48,
    });
    const { values } = planCost(planTeacher(model, { ...teacherDefaults, fusion: 'concat' }));
    assert.equal(values, 1024 * 96);
  });
});
