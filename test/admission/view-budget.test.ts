import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ViewBudget, type ViewsPermit } from '../../src/admission/view-budget.ts';
import { anyone, type Caller } from '../../src/admission/caller.ts';
import { type SchedulingClass, priorities, defaultTerms } from '../../src/admission/priority.ts';

const bulk: SchedulingClass = { caller: anyone, priority: 'bulk' };
const keys: readonly Caller[] = [
  { name: 'greedy', weight: 1, bulkOnly: false },
  { name: 'modest', weight: 3, bulkOnly: false },
];
const [greedy, modest] = keys.map((caller): SchedulingClass => ({ caller, priority: 'interactive' })) as [
  SchedulingClass,
  SchedulingClass,
];

function admissionOf(maxViews: number, callers: readonly Caller[] = []) {
  const admission = new ViewBudget({ maxViews, callers: () => callers, workMs: (views) => views * 100 });
  const admit = (views: number, schedulingClass: SchedulingClass = defaultTerms) =>
    admission.admit([views], 'model', schedulingClass)[0]!;
  return { admission, admit };
}

test('admits up to its bound and refuses the rest until half of what is ahead is done', () => {
  const { admit } = admissionOf(3);
  const permit = admit(2);
  assert.throws(() => admit(2), { code: 'overloaded', retryAfterMs: 100 });
  permit.release();
  assert.equal(admit(3).views, 3);
});

test('a permit given back twice counts once', () => {
  const { admission, admit } = admissionOf(3);
  const first = admit(1);
  admit(2);
  first.release();
  first.release();
  assert.equal(admission.admitted, 2);
});

test('what can never fit is too large, not overloaded', () => {
  const { admit } = admissionOf(4);
  assert.throws(() => admit(5), { code: 'too_large', message: /the limit is 4 \(--max-queued-views\)\./ });
  assert.throws(() => admit(4, bulk), {
    code: 'too_large',
    message: /of the 4 that this service takes, bulk may have at most 3\./,
  });
});

test('takes all pieces or none, and gives each a permit of its own', () => {
  const { admission } = admissionOf(4);
  const [one, two] = admission.admit([1, 2], 'model', defaultTerms) as [ViewsPermit, ViewsPermit];
  assert.throws(() => admission.admit([1, 1], 'model', defaultTerms), { code: 'overloaded' });
  assert.equal(admission.admitted, 3);
  one.release();
  assert.equal(admission.admitted, 2);
  two.release();
  assert.equal(admission.admitted, 0);
});

test('bulk leaves a quarter of the room to interactive requests', () => {
  const { admit } = admissionOf(8);
  admit(6, bulk);
  assert.throws(() => admit(1, bulk), { code: 'overloaded' });
  admit(2);
  assert.throws(() => admit(1), { code: 'overloaded' });
});

test('knows what comes before a request: interactive views for an interactive one, all for bulk, of its model', () => {
  const { admission } = admissionOf(20);
  admission.admit([3], 'model', defaultTerms);
  admission.admit([4], 'model', bulk);
  admission.admit([5], 'other', defaultTerms);
  assert.equal(admission.ahead('model', 1, defaultTerms), 3);
  assert.equal(admission.ahead('model', 1, bulk), 7);
});

test('what the engine has taken up comes before nobody', () => {
  const { admission, admit } = admissionOf(20);
  const permit = admit(3);
  admit(2, bulk);
  permit.begin();
  permit.begin();
  assert.equal(admission.ahead('model', 1, defaultTerms), 1);
  assert.equal(admission.admitted, 5);
  permit.begin();
  permit.begin();
  assert.equal(admission.ahead('model', 1, bulk), 2);
  permit.release();
  permit.release();
  assert.equal(admission.ahead('model', 1, bulk), 2);
  assert.equal(admission.admitted, 2);
});

test('of another caller comes before a request what its turns bring, not all that it has', () => {
  const { admission, admit } = admissionOf(400, keys);
  const permit = admit(200, greedy);
  assert.equal(admission.ahead('model', 3, modest), 1, 'greedy has a turn where modest has three');
  assert.equal(admission.ahead('model', 3, greedy), 200);
  admit(9, modest);
  assert.equal(admission.ahead('model', 3, modest), 9 + 4);
  assert.equal(admission.ahead('model', 1000, modest), 9 + 200);
  permit.release();
  assert.equal(admission.ahead('model', 3, modest), 9);
});

describe('several callers', () => {
  test('have half of the room divided by weight, and the rest whoever comes first', () => {
    const { admit } = admissionOf(80, keys);
    admit(50, greedy);
    assert.throws(() => admit(1, greedy), { code: 'overloaded' });
    admit(30, modest);
    assert.throws(() => admit(1, modest), { code: 'overloaded' });
  });

  test('leave room to interactive requests of each other, however much bulk they send', () => {
    const { admit } = admissionOf(512, keys);
    for (const schedulingClass of [greedy, modest]) {
      const bulkOf = { ...schedulingClass, priority: 'bulk' } as const;
      for (;;) {
        try {
          admit(1, bulkOf);
        } catch {
          break;
        }
      }
    }
    admit(512 / 16, greedy);
    admit(512 / 16, modest);
  });

  test('may each use the common half when the others do not', () => {
    const { admit } = admissionOf(80, keys);
    assert.equal(admit(70, modest).views, 70);
    assert.throws(() => admit(71, modest), {
      code: 'too_large',
      message:
        'The request needs 71 views; of the 80 that this service takes, a request of this key may have at most 70.',
    });
    assert.equal(admit(10, greedy).views, 10);
  });

  test('have their parts by the list of the moment', () => {
    let callers: readonly Caller[] = keys;
    const admission = new ViewBudget({ maxViews: 80, callers: () => callers, workMs: (views) => views });
    const admit = () => admission.admit([80], 'model', { ...defaultTerms, caller: keys[0]! });
    assert.throws(admit, { code: 'too_large' });
    callers = [keys[0]!];
    assert.equal(admit()[0]?.views, 80);
  });

  test("never take more than there is, never another one's part, and leave nothing behind", () => {
    const step = fc.record({
      caller: fc.constantFrom(...keys),
      priority: fc.constantFrom(...priorities),
      views: fc.integer({ min: 1, max: 12 }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { admission, admit } = admissionOf(40, keys);
        const held: { permit: ViewsPermit; name: string | undefined }[] = [];
        const heldBy = (name: string | undefined) =>
          held.reduce((sum, one) => sum + (one.name === name ? one.permit.views : 0), 0);
        for (const { caller, priority, views, release } of steps) {
          if (release) held.shift()?.permit.release();
          const part = caller.name === 'greedy' ? 5 : 15;
          const fitsPart = heldBy(caller.name) + views <= part && priority === 'interactive';
          try {
            held.push({ permit: admit(views, { caller, priority }), name: caller.name });
          } catch (error) {
            assert.equal((error as { code: string }).code, 'overloaded');
            assert.ok(!fitsPart, 'a caller that is within its part is refused');
          }
          assert.ok(admission.admitted <= 40);
        }
        for (const { permit } of held) permit.release();
        assert.equal(admission.admitted, 0);
      }),
    );
  });
});
