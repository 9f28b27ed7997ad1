import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../src/admission.ts';

test('admits up to its bound and refuses the rest with a time to come back', () => {
  const admission = new Admission({ maxViews: 3, retryAfterMs: (views) => views * 100 });
  const permit = admission.admit(2);
  assert.throws(() => admission.admit(2), { code: 'overloaded', retryAfterMs: 200 });
  permit.release();
  assert.equal(admission.admit(3).views, 3);
});

test('a permit given back twice counts once', () => {
  const admission = new Admission({ maxViews: 3, retryAfterMs: () => 0 });
  const first = admission.admit(1);
  admission.admit(2);
  first.release();
  first.release();
  assert.equal(admission.admittedViews, 2);
});

test('what can never fit is too large, not overloaded', () => {
  const admission = new Admission({ maxViews: 3, retryAfterMs: () => 0 });
  assert.throws(() => admission.admit(4), { code: 'too_large' });
});
