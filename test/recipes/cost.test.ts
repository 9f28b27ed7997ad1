import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyresDefaults, planAnyres } from '../../src/recipes/anyres.ts';
import { planCost } from '../../src/recipes/cost.ts';
import { planEncode } from '../../src/recipes/encode.ts';
import { planTeacher, teacherDefaults } from '../../src/recipes/teacher.ts';
import { model } from './model.ts';

const image = { width: 1218, height: 1722 };

describe('planCost', () => {
  test('counts views, tokens and bytes of every recipe', () => {
    assert.deepEqual(planCost(planEncode(image, model), 'float16'), {
      views: 1,
      load: 1,
      tokens: 1024,
      bytes: 1024 * 48 * 2,
    });
    assert.deepEqual(planCost(planTeacher(image, model, teacherDefaults), 'bfloat16'), {
      views: 5,
      load: 5,
      tokens: 1024,
      bytes: 1024 * 48 * 2,
    });
    assert.deepEqual(planCost(planAnyres(image, model, anyresDefaults), 'float32'), {
      views: 10,
      load: 10,
      tokens: 5052,
      bytes: 5052 * 48 * 4,
    });
  });

  test('weighs a view of another size by its pixels', () => {
    const larger = { ...model, name: 'larger', imageSize: 1536, grid: { width: 96, height: 96 } };
    const whole = { ...teacherDefaults, scales: [512, 1536], windows: 'whole' } as const;
    const { views, load } = planCost(planTeacher(image, model, whole, [model, larger]), 'float32');
    assert.deepEqual([views, load], [2, 10]);
  });

  test('counts the tokens of all views of a stack, and the channels of a concatenation', () => {
    assert.deepEqual(
      planCost(planAnyres(image, model, { ...anyresDefaults, assembly: 'tiles' }), 'float32'),
      {
        views: 10,
        load: 10,
        tokens: 10_240,
        bytes: 10_240 * 48 * 4,
      },
    );
    const { bytes } = planCost(
      planTeacher(image, model, { ...teacherDefaults, fusion: 'concat' }),
      'float32',
    );
    assert.equal(bytes, 1024 * 96 * 4);
  });
});
