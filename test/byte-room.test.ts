import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteRoom } from '../src/byte-room.ts';
import { ServiceError } from '../src/errors.ts';

const full = () => new ServiceError('overloaded', 'There is no room.', { retryAfterMs: 70 });

test('takes bytes while there is room, and refuses at once with a time to come back', () => {
  const room = new ByteRoom(100, full);
  const release = room.admit(60);
  room.admit(40);
  assert.throws(() => room.admit(1), { code: 'overloaded', retryAfterMs: 70 });
  release();
  room.admit(60);
  assert.equal(room.heldBytes, 100);
});

test('gives room back once, however often it is told to', () => {
  const room = new ByteRoom(100, full);
  const release = room.admit(70);
  room.admit(30);
  release();
  release();
  assert.equal(room.heldBytes, 30);
});
