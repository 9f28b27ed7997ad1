import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteRoom } from '../../src/admission/byte-budget.ts';
import type { Caller } from '../../src/admission/caller.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

const full = () => new ServiceError('overloaded', 'There is no room.', { retryAfterMs: 70 });

test('takes bytes while there is room, and refuses at once with a time to come back', () => {
  const room = new ByteRoom({ maxBytes: 100, full });
  const release = room.admit(60);
  room.admit(40);
  assert.throws(() => room.admit(1), { code: 'overloaded', retryAfterMs: 70 });
  release();
  room.admit(60);
  assert.equal(room.heldBytes, 100);
});

test('gives room back once, however often it is told to', () => {
  const room = new ByteRoom({ maxBytes: 100, full });
  const release = room.admit(70);
  room.admit(30);
  release();
  release();
  assert.equal(room.heldBytes, 30);
});

test('one caller cannot take the part of another', () => {
  const [greedy, modest] = ['greedy', 'modest'].map((name): Caller => ({ name, weight: 1, bulkOnly: false }));
  const room = new ByteRoom({ maxBytes: 100, full, callers: () => [greedy!, modest!] });
  const releases = Array.from({ length: 7 }, () => room.admit(10, greedy));
  room.admit(5, greedy);
  assert.throws(() => room.admit(1, greedy), { code: 'overloaded' }, 'its own quarter and the common half');
  room.admit(25, modest);
  assert.throws(() => room.admit(1, modest), { code: 'overloaded' });
  for (const release of releases) release();
  room.admit(50, modest);
  assert.equal(room.heldBytes, 80);
});

test('the largest thing finds room when nothing else is held, however many share it', () => {
  const callers = ['a', 'b', 'c'].map((name): Caller => ({ name, weight: 1, bulkOnly: false }));
  const room = new ByteRoom({ maxBytes: 100, largestBytes: 90, full, callers: () => callers });
  room.admit(90, callers[0])();
  const release = room.admit(90, callers[1]);
  assert.throws(() => room.admit(90, callers[0]), { code: 'overloaded' });
  release();
  room.admit(90, callers[2]);
});
