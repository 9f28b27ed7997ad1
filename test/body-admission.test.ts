import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyAdmission } from '../src/body-admission.ts';

test('takes bodies while there is room, and refuses at once with a time to come back', () => {
  const bodies = new BodyAdmission(100);
  const release = bodies.admit(60);
  bodies.admit(40);
  assert.throws(() => bodies.admit(1), { code: 'overloaded', retryAfterMs: 1000 });
  release();
  bodies.admit(60);
  assert.equal(bodies.heldBytes, 100);
});

test('gives room back once, however often it is told to', () => {
  const bodies = new BodyAdmission(100);
  const release = bodies.admit(70);
  bodies.admit(30);
  release();
  release();
  assert.equal(bodies.heldBytes, 30);
});
