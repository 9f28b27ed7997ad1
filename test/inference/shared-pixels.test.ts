import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedPixels } from '../../src/inference/shared-pixels.ts';

const view = (fill: number) => new Uint8Array(4).fill(fill);

test('copies views one after the other, into memory that is used again once it is released', () => {
  const pixels = new SharedPixels();
  const first = pixels.copyIn([view(1), view(2)]);
  assert.deepEqual([...first], [1, 1, 1, 1, 2, 2, 2, 2]);
  const second = pixels.copyIn([view(3)]);
  assert.notEqual(second.buffer, first.buffer);
  assert.deepEqual([...second], [3, 3, 3, 3]);
  pixels.release(first);
  const third = pixels.copyIn([view(4)]);
  assert.equal(third.buffer, first.buffer);
  assert.deepEqual([...third], [4, 4, 4, 4]);
  assert.deepEqual([...second], [3, 3, 3, 3]);
});

test('drops memory that is too small for the largest batch', () => {
  const pixels = new SharedPixels();
  const small = pixels.copyIn([view(1)]);
  const large = pixels.copyIn([view(1), view(2)]);
  pixels.release(small);
  pixels.release(large);
  assert.equal(pixels.copyIn([view(3)]).buffer, large.buffer);
  assert.notEqual(pixels.copyIn([view(4)]).buffer, small.buffer);
});
