import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedInput } from '../../src/inference/shared-input.ts';

const view = (fill: number) => new Uint8Array(4).fill(fill);

test('copies views one after the other, into memory that is used again once it is released', () => {
  const input = new SharedInput();
  const first = input.copyIn([view(1), view(2)]);
  assert.deepEqual([...first], [1, 1, 1, 1, 2, 2, 2, 2]);
  const second = input.copyIn([view(3)]);
  assert.notEqual(second.buffer, first.buffer);
  assert.deepEqual([...second], [3, 3, 3, 3]);
  input.release(first);
  const third = input.copyIn([view(4)]);
  assert.equal(third.buffer, first.buffer);
  assert.deepEqual([...third], [4, 4, 4, 4]);
  assert.deepEqual([...second], [3, 3, 3, 3]);
});

test('drops memory that is too small for the largest batch', () => {
  const input = new SharedInput();
  const small = input.copyIn([view(1)]);
  const large = input.copyIn([view(1), view(2)]);
  input.release(small);
  input.release(large);
  assert.equal(input.copyIn([view(3)]).buffer, large.buffer);
  assert.notEqual(input.copyIn([view(4)]).buffer, small.buffer);
});
