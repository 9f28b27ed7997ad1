import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinChannels } from '../../src/tokens/token-tasks.ts';

test('maps are joined by channels, row by row in the order given', () => {
  const [one, other] = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8)];
  assert.deepEqual([...joinChannels([one, other], 2)], [1, 2, 5, 6, 3, 4, 7, 8]);
  assert.deepEqual([...joinChannels([other, one], 2)], [5, 6, 1, 2, 7, 8, 3, 4]);
});

test('maps of different sizes are not joined', () => {
  assert.throws(() => joinChannels([Uint8Array.of(1, 2), Uint8Array.of(1)], 1), RangeError);
});
