import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Budget, type Reservation } from '../../src/admission/budget.ts';
import { anyone, type Caller } from '../../src/admission/caller.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

const full = () => new ServiceError('overloaded', 'There is no room.', { retryAfterMs: 70 });
const callerNamed = (name: string): Caller => ({ name, weight: 1, bulkOnly: false });
const never = new AbortController().signal;

test('reserves until the limit is reached, then refuses at once and says when to retry', () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(60);
  budget.reserve(40);
  assert.throws(() => budget.reserve(1), { code: 'overloaded', retryAfterMs: 70 });
  first.release();
  budget.reserve(60);
});

test('releasing a reservation twice frees it once', () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(70);
  budget.reserve(30);
  first.release();
  first.release();
  budget.reserve(70);
  assert.throws(() => budget.reserve(1), { code: 'overloaded' });
});

test('a reservation that cannot grow keeps what it has', () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(10);
  first.grow(60);
  first.grow(20);
  assert.equal(first.amount, 60);
  assert.throws(() => first.grow(101), { code: 'overloaded' });
  assert.equal(first.amount, 60);
  budget.reserve(40);
});

test('a reservation grows in turn before requests that hold nothing yet', async () => {
  const budget = new Budget({ limit: 100, full });
  const { signal } = new AbortController();
  const [first, other] = [budget.reserve(10), budget.reserve(90)];
  const order: string[] = [];
  const waiting = budget.reserveInTurn(50, anyone, signal).then(() => order.push('waiting'));
  const growing = first.growInTurn(60, signal).then(() => order.push('growing'));
  other.settle(40);
  await growing;
  assert.equal(first.amount, 60);
  other.release();
  first.settle(50);
  await waiting;
  assert.deepEqual(order, ['growing', 'waiting']);
});

test('a reservation that can never grow so far is refused at once, and one that leaves keeps what it has', async () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(10);
  await assert.rejects(first.growInTurn(101, new AbortController().signal), { code: 'overloaded' });
  const other = budget.reserve(90);
  const leaving = new AbortController();
  const growing = first.growInTurn(20, leaving.signal);
  leaving.abort();
  await assert.rejects(growing, { code: 'cancelled' });
  other.release();
  assert.equal(first.amount, 10);
  budget.reserve(90);
});

test('settling a reservation frees the rest and never grows it', () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(100);
  first.settle(30);
  budget.reserve(70);
  first.settle(50);
  assert.equal(first.amount, 30);
});

test('a released reservation stays empty', () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(10);
  first.release();
  first.grow(90);
  budget.reserve(100);
});

test('no caller can take the share of another', () => {
  const [greedy, modest] = ['greedy', 'modest'].map(callerNamed) as [Caller, Caller];
  const budget = new Budget({ limit: 100, full, callers: () => [greedy, modest] });
  const held = Array.from({ length: 7 }, () => budget.reserve(10, greedy));
  budget.reserve(5, greedy);
  assert.throws(
    () => budget.reserve(1, greedy),
    { code: 'overloaded' },
    'its own quarter and the common half',
  );
  budget.reserve(25, modest);
  assert.throws(() => budget.reserve(1, modest), { code: 'overloaded' });
  for (const each of held) each.release();
  budget.reserve(50, modest);
});

test('the largest reservation fits when nothing else is held, however many callers share the budget', () => {
  const callers = ['a', 'b', 'c'].map(callerNamed);
  const budget = new Budget({ limit: 100, largest: 90, full, callers: () => callers });
  budget.reserve(90, callers[0]).release();
  const second = budget.reserve(90, callers[1]);
  assert.throws(() => budget.reserve(90, callers[0]), { code: 'overloaded' });
  second.release();
  budget.reserve(90, callers[2]);
});

test('waiting requests are served in turn, as soon as they fit', async () => {
  const budget = new Budget({ limit: 100, full });
  const first = budget.reserve(80);
  const entered: string[] = [];
  const wait = async (name: string, amount: number): Promise<Reservation> => {
    const reservation = await budget.reserveInTurn(amount, anyone, never);
    entered.push(name);
    return reservation;
  };
  const large = wait('large', 90);
  const small = wait('small', 10);
  first.settle(20);
  await Promise.resolve();
  assert.deepEqual(entered, [], 'the small one does not pass the large one');
  first.release();
  await Promise.all([large, small]);
  assert.deepEqual(entered, ['large', 'small']);
});

test('a waiting caller does not hold up another caller', async () => {
  const [greedy, modest] = ['greedy', 'modest'].map(callerNamed) as [Caller, Caller];
  const budget = new Budget({ limit: 100, full, callers: () => [greedy, modest] });
  budget.reserve(75, greedy);
  const held = budget.reserve(25, modest);
  const leave = new AbortController();
  const stuck = budget.reserveInTurn(10, greedy, leave.signal);
  const served = budget.reserveInTurn(10, modest, never);
  held.release();
  assert.equal((await served).amount, 10);
  leave.abort(new ServiceError('cancelled', 'The client went away.'));
  await assert.rejects(stuck, { code: 'cancelled' });
});

test('a request that stops waiting lets in those behind it', async () => {
  const budget = new Budget({ limit: 100, full });
  budget.reserve(50);
  const leave = new AbortController();
  const large = budget.reserveInTurn(60, anyone, leave.signal);
  const small = budget.reserveInTurn(50, anyone, never);
  leave.abort(new ServiceError('deadline_exceeded', 'Too late.'));
  await assert.rejects(large, { code: 'deadline_exceeded' });
  assert.equal((await small).amount, 50);
});

test('never holds more than its limit, and has all of it free in the end, whatever the order of events', () => {
  const callers = ['a', 'b'].map(callerNamed);
  const step = fc.record({
    kind: fc.constantFrom('reserve', 'grow', 'settle', 'release'),
    amount: fc.integer({ min: 0, max: 120 }),
    caller: fc.constantFrom(...callers),
    at: fc.nat({ max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const budget = new Budget({ limit: 100, full, callers: () => callers });
      const held: Reservation[] = [];
      for (const { kind, amount, caller, at } of steps) {
        const one = held[at % Math.max(1, held.length)];
        try {
          if (kind === 'reserve') held.push(budget.reserve(amount, caller));
          else if (kind === 'grow') one?.grow(amount);
          else if (kind === 'settle') one?.settle(amount);
          else one?.release();
        } catch (thrown) {
          assert.ok(thrown instanceof ServiceError && thrown.code === 'overloaded');
        }
        assert.ok(held.reduce((sum, each) => sum + each.amount, 0) <= 100);
      }
      for (const each of held) each.release();
      budget.reserve(75, callers[0]);
      budget.reserve(25, callers[1]);
    }),
  );
});
