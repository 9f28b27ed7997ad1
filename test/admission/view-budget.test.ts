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

function budgetOf(maxViews: number, callers: readonly Caller[] = []) {
  const budget = new ViewBudget({ maxViews, callers: () => callers, workMs: (views) => views * 100 });
  const admit = (views: number, schedulingClass: SchedulingClass = defaultTerms) =>
    budget.admit([views], 'model', schedulingClass)[0]!;
  return { budget, admit };
}

test('admits views up to its limit, and refuses the rest until half of them are done', () => {
  const { admit } = budgetOf(3);
  const permit = admit(2);
  assert.throws(() => admit(2), { code: 'overloaded', retryAfterMs: 100 });
  permit.release();
  admit(3);
});

test('releasing a permit twice frees its views once', () => {
  const { admit } = budgetOf(3);
  const first = admit(1);
  admit(2);
  first.release();
  first.release();
  admit(1);
  assert.throws(() => admit(1), { code: 'overloaded' });
});

test('a request that can never fit is too large, not overloaded', () => {
  const { admit } = budgetOf(4);
  assert.throws(() => admit(5), { code: 'too_large', message: /the limit is 4 \(--max-queued-views\)\./ });
  assert.throws(() => admit(4, bulk), {
    code: 'too_large',
    message: /; bulk requests may use at most 3 of the service's 4 \(--max-queued-views\)\./,
  });
});

test('admits all pieces of a request or none, each with its own permit', () => {
  const { budget } = budgetOf(4);
  const [one, two] = budget.admit([1, 2], 'model', defaultTerms) as [ViewsPermit, ViewsPermit];
  assert.throws(() => budget.admit([1, 1], 'model', defaultTerms), { code: 'overloaded' });
  const [rest] = budget.admit([1], 'model', defaultTerms);
  for (const permit of [one, rest!]) permit.release();
  assert.throws(() => budget.admit([3], 'model', defaultTerms), { code: 'overloaded' });
  two.release();
  budget.admit([4], 'model', defaultTerms);
});

test('bulk leaves a quarter of the views to interactive requests', () => {
  const { admit } = budgetOf(8);
  admit(6, bulk);
  assert.throws(() => admit(1, bulk), { code: 'overloaded' });
  admit(2);
  assert.throws(() => admit(1), { code: 'overloaded' });
});

test('interactive views of a model are ahead of an interactive request, and all views ahead of bulk', () => {
  const { budget } = budgetOf(20);
  budget.admit([3], 'model', defaultTerms);
  budget.admit([4], 'model', bulk);
  budget.admit([5], 'other', defaultTerms);
  assert.equal(budget.ahead('model', 1, defaultTerms), 3);
  assert.equal(budget.ahead('model', 1, bulk), 7);
});

test('a view that the engine has taken is ahead of nobody', () => {
  const { budget, admit } = budgetOf(20);
  const permit = admit(3);
  admit(2, bulk);
  permit.begin();
  permit.begin();
  assert.equal(budget.ahead('model', 1, defaultTerms), 1);
  permit.begin();
  permit.begin();
  assert.equal(budget.ahead('model', 1, bulk), 2);
  permit.release();
  permit.release();
  assert.equal(budget.ahead('model', 1, bulk), 2);
});

test('another caller is ahead of a request by its turns, not by all its views', () => {
  const { budget, admit } = budgetOf(400, keys);
  const permit = admit(200, greedy);
  assert.equal(budget.ahead('model', 3, modest), 1, 'greedy has a turn where modest has three');
  assert.equal(budget.ahead('model', 3, greedy), 200);
  admit(9, modest);
  assert.equal(budget.ahead('model', 3, modest), 9 + 4);
  assert.equal(budget.ahead('model', 1000, modest), 9 + 200);
  permit.release();
  assert.equal(budget.ahead('model', 3, modest), 9);
});

describe('several callers', () => {
  test('have shares of half the views by weight, and the other half goes to whoever comes first', () => {
    const { admit } = budgetOf(80, keys);
    admit(50, greedy);
    assert.throws(() => admit(1, greedy), { code: 'overloaded' });
    admit(30, modest);
    assert.throws(() => admit(1, modest), { code: 'overloaded' });
  });

  test("leave views for each other's interactive requests, however much bulk they send", () => {
    const { admit } = budgetOf(512, keys);
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

  test('may use the common half when the others do not', () => {
    const { admit } = budgetOf(80, keys);
    admit(70, modest);
    assert.throws(() => admit(71, modest), {
      code: 'too_large',
      message:
        "The request needs 71 views; requests of this key may use at most 70 of the service's 80 (--max-queued-views).",
    });
    admit(10, greedy);
  });

  test('have new shares as soon as the list of callers changes', () => {
    let callers: readonly Caller[] = keys;
    const budget = new ViewBudget({ maxViews: 80, callers: () => callers, workMs: (views) => views });
    const admit = () => budget.admit([80], 'model', { ...defaultTerms, caller: keys[0]! });
    assert.throws(admit, { code: 'too_large' });
    callers = [keys[0]!];
    assert.doesNotThrow(admit);
  });

  test('never exceed the limit or take the share of another, and leave all of it free in the end', () => {
    const step = fc.record({
      caller: fc.constantFrom(...keys),
      priority: fc.constantFrom(...priorities),
      views: fc.integer({ min: 1, max: 12 }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { admit } = budgetOf(40, keys);
        const held: { permit: ViewsPermit; name: string | undefined; views: number }[] = [];
        const heldBy = (name: string | undefined) =>
          held.reduce((sum, one) => sum + (one.name === name ? one.views : 0), 0);
        for (const { caller, priority, views, release } of steps) {
          if (release) held.shift()?.permit.release();
          const share = caller.name === 'greedy' ? 5 : 15;
          const fitsShare = heldBy(caller.name) + views <= share && priority === 'interactive';
          try {
            held.push({ permit: admit(views, { caller, priority }), name: caller.name, views });
          } catch (error) {
            assert.equal((error as { code: string }).code, 'overloaded');
            assert.ok(!fitsShare, 'a caller is refused within its share');
          }
          assert.ok(held.reduce((sum, one) => sum + one.views, 0) <= 40);
        }
        for (const { permit } of held) permit.release();
        admit(35, modest);
        admit(5, greedy);
      }),
    );
  });
});
