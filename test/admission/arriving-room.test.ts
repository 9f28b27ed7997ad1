import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrivingRoom } from '../../src/admission/arriving-room.ts';
import { ByteRoom } from '../../src/admission/byte-budget.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const roomOf = (maxBytes: number) =>
  new ByteRoom({ maxBytes, full: () => new ServiceError('overloaded', 'full') });

test('what is announced and has not come takes little room of others', () => {
  const room = roomOf(20 * MiB);
  const silent = Array.from({ length: 20 }, () => new ArrivingRoom((bytes) => room.admit(bytes), 10 * MiB));
  assert.equal(room.heldBytes, 20 * 64 * KiB);
  for (const one of silent) one.release();
  assert.equal(room.heldBytes, 0);
});

test('room is never less than what has come, and in the end no more than announced', () => {
  const room = roomOf(20 * MiB);
  const arriving = new ArrivingRoom((bytes) => room.admit(bytes), MiB + 3);
  for (let come = 0; come < MiB; ) {
    arriving.add(10 * KiB);
    come += 10 * KiB;
    assert.ok(room.heldBytes >= come);
    assert.ok(room.heldBytes <= Math.max(64 * KiB, 2 * come));
  }
  assert.ok(room.heldBytes <= MiB + 10 * KiB);
  arriving.release();
  arriving.release();
  assert.equal(room.heldBytes, 0);
});

test('is refused at once where all of it finds no room, and later where others were faster', () => {
  const room = roomOf(MiB);
  const admit = (bytes: number) => room.admit(bytes);
  assert.throws(() => new ArrivingRoom(admit, MiB + 1), { code: 'overloaded' });
  assert.equal(room.heldBytes, 0);
  const [first, second] = [new ArrivingRoom(admit, MiB), new ArrivingRoom(admit, MiB - 64 * KiB)];
  first.add(600 * KiB);
  assert.throws(() => second.add(600 * KiB), { code: 'overloaded' });
  second.release();
  first.add(400 * KiB);
  first.release();
  assert.equal(room.heldBytes, 0);
});

test('what comes after the release takes no room', () => {
  const room = roomOf(MiB);
  const arriving = new ArrivingRoom((bytes) => room.admit(bytes), MiB);
  arriving.add(100 * KiB);
  arriving.release();
  arriving.add(200 * KiB);
  arriving.takeAll();
  arriving.settle(10);
  assert.equal(room.heldBytes, 0);
});

test('holds all that is announced where that is asked for, and what it has come to in the end', () => {
  const room = roomOf(MiB);
  const arriving = new ArrivingRoom((bytes) => room.admit(bytes), MiB);
  arriving.add(10);
  arriving.takeAll();
  assert.equal(room.heldBytes, MiB);
  arriving.settle(3 * KiB);
  assert.equal(room.heldBytes, 3 * KiB);
  arriving.settle(4 * KiB);
  assert.equal(room.heldBytes, 3 * KiB);
  arriving.release();
  assert.equal(room.heldBytes, 0);
});
