import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Caller } from '../../src/admission/caller.ts';
import { FairQueue } from '../../src/admission/fair-queue.ts';

const caller = (name: string, weight = 1): Caller => ({ name, weight, bulkOnly: false });
const [a, b] = [caller('a'), caller('b', 3)];

interface Item {
  readonly name: string;
}

const addItems = (queue: FairQueue<Item>, of: Caller, names: string): void => {
  for (const name of names) queue.add(of, { name });
};

const take = (queue: FairQueue<Item>, count: number): string =>
  Array.from({ length: count }, () => queue.take()?.name ?? '').join('');

const count = (text: string, letter: string): number => text.split(letter).length - 1;

test("serves one caller's items first in, first out", () => {
  const queue = new FairQueue<Item>();
  addItems(queue, a, 'xyz');
  assert.equal(queue.size, 3);
  assert.equal(take(queue, 4), 'xyz');
  assert.equal(queue.size, 0);
});

test('serves callers in proportion to their weights, however many items one of them has', () => {
  const queue = new FairQueue<Item>();
  addItems(queue, a, 'a'.repeat(1000));
  addItems(queue, b, 'b'.repeat(30));
  const first = take(queue, 40);
  assert.ok(Math.abs(count(first, 'b') - 30) <= 1, first);
});

test('a caller that sends one item at a time gets no more than its turns', () => {
  const queue = new FairQueue<Item>();
  const heavy = caller('heavy', 10);
  addItems(queue, heavy, 'h'.repeat(200));
  let taken = '';
  for (let i = 0; i < 110; i++) {
    if (!taken.endsWith('h') || i === 0) addItems(queue, a, i === 0 || taken.endsWith('s') ? 's' : '');
    taken += take(queue, 1);
  }
  assert.ok(Math.abs(count(taken, 's') - 10) <= 2, taken);
});

test('a caller that was away has saved up no turns', () => {
  const queue = new FairQueue<Item>();
  addItems(queue, a, 'a'.repeat(200));
  take(queue, 100);
  addItems(queue, caller('c'), 'c'.repeat(100));
  const next = take(queue, 20);
  assert.ok(Math.abs(count(next, 'c') - 10) <= 1, next);
});

test('returns every item exactly once, whatever the order of events', () => {
  const step = fc.record({ who: fc.constantFrom(a, b), act: fc.constantFrom('add', 'take', 'delete') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const queue = new FairQueue<number>();
      const inside = new Map<number, Caller>();
      let next = 0;
      for (const { who, act } of steps) {
        if (act === 'add') {
          inside.set(next, who);
          queue.add(who, next++);
        } else if (act === 'take') {
          const item = queue.take();
          assert.equal(item === undefined, inside.size === 0);
          if (item !== undefined) assert.ok(inside.delete(item));
        } else {
          const [entry] = inside;
          if (entry === undefined) continue;
          assert.ok(queue.delete(entry[1], entry[0]));
          assert.ok(!queue.delete(entry[1], entry[0]));
          inside.delete(entry[0]);
        }
        assert.equal(queue.size, inside.size);
      }
    }),
  );
});
