import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone } from '../../src/admission/caller.ts';
import { bulkPatience, PriorityQueue } from '../../src/admission/priority-queue.ts';
import type { SchedulingClass } from '../../src/admission/priority.ts';

const anItem = (priority: SchedulingClass['priority']): SchedulingClass => ({
  caller: anyone,
  priority,
});

function queueOf(interactive: number, bulk: number): PriorityQueue<SchedulingClass> {
  const queue = new PriorityQueue<SchedulingClass>();
  for (let i = 0; i < bulk; i++) queue.add(anItem('bulk'));
  for (let i = 0; i < interactive; i++) queue.add(anItem('interactive'));
  return queue;
}

const letters = (batch: readonly SchedulingClass[]) => batch.map(({ priority }) => priority[0]).join('');

test('interactive goes before earlier bulk, and bulk fills the rest of the batch', () => {
  const queue = queueOf(3, 5);
  assert.equal(letters(queue.take(4)), 'iiib');
  assert.equal(letters(queue.take(4)), 'bbbb');
  assert.equal(queue.size, 0);
});

test('bulk goes first once after every long wait', () => {
  const queue = queueOf(2 * (2 * bulkPatience + 4), 4);
  const batches = Array.from({ length: 2 * bulkPatience + 2 }, () => letters(queue.take(2)));
  const bulkBatches = batches.flatMap((batch, index) => (batch.includes('b') ? [index] : []));
  assert.deepEqual(bulkBatches, [bulkPatience, 2 * bulkPatience + 1]);
  assert.ok(batches[bulkPatience] === 'bb');
});

test('batches count as a wait only while bulk waits', () => {
  const queue = queueOf(2 * bulkPatience + 10, 0);
  for (let i = 0; i < bulkPatience + 5; i++) queue.take(1);
  queue.add(anItem('bulk'));
  assert.equal(letters(queue.take(1)), 'i');
});

test('an item that was deleted is never taken', () => {
  const queue = new PriorityQueue<SchedulingClass>();
  const [one, other] = [anItem('bulk'), anItem('bulk')];
  queue.add(one);
  queue.add(other);
  assert.ok(queue.delete(one));
  assert.ok(!queue.delete(one));
  assert.deepEqual(queue.take(2), [other]);
});
