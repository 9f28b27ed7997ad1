import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, ServiceError } from '../../src/errors/service-error.ts';

test('allOf resolves with all values in order', async () => {
  assert.deepEqual(await allOf([Promise.resolve(1), Promise.resolve('two')]), [1, 'two']);
});

test('allOf waits for all to settle and reports every failure, with the code of the first', async () => {
  let isSettled = false;
  const late = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    isSettled = true;
    throw new ServiceError('not_found', 'Nor is this.');
  });
  const early = Promise.reject(new ServiceError('invalid_argument', 'This is no good.'));
  await assert.rejects(allOf([early, Promise.resolve(1), late]), {
    code: 'invalid_argument',
    message: 'This is no good. Nor is this.',
    sentences: ['This is no good.', 'Nor is this.'],
  });
  assert.equal(isSettled, true);
});

test('allOf passes a single failure on unchanged', async () => {
  const only = new ServiceError('overloaded', 'Full.', { retryAfterMs: 5 });
  await assert.rejects(allOf([Promise.reject(only)]), (thrown) => thrown === only);
});
