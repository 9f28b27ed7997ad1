import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerRoom } from '../../src/admission/answer-room.ts';
import { ByteRoom } from '../../src/admission/byte-budget.ts';
import { anyone } from '../../src/admission/caller.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

function byteRoom(maxBytes: number): ByteRoom {
  return new ByteRoom({ maxBytes, full: () => new ServiceError('overloaded', 'full') });
}

test('an answer takes what is planned, then what is wanting, and gives all of it back once', () => {
  const bytes = byteRoom(10);
  const room = new AnswerRoom(bytes, anyone);
  room.take(3);
  room.take(2);
  assert.equal(bytes.heldBytes, 5);
  room.fill(9);
  assert.equal(bytes.heldBytes, 9);
  room.fill(4);
  assert.equal(bytes.heldBytes, 9);
  room.release();
  room.release();
  assert.equal(bytes.heldBytes, 0);
});

test('what finds no room is refused, and what was taken before stays until the release', () => {
  const bytes = byteRoom(4);
  const room = new AnswerRoom(bytes, anyone);
  room.take(3);
  assert.throws(() => room.fill(5), { code: 'overloaded' });
  assert.equal(bytes.heldBytes, 3);
  room.release();
  assert.equal(bytes.heldBytes, 0);
});

test('an answer that nobody waits for any more takes nothing', () => {
  const bytes = byteRoom(4);
  const room = new AnswerRoom(bytes, anyone);
  room.release();
  room.take(3);
  assert.equal(bytes.heldBytes, 0);
});
