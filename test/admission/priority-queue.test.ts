import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone } from '../../src/admission/caller.ts';
import { bulkPatience, PriorityQueue } from '../../src/admission/priority-queue.ts';
import type { SchedulingClass } from '../../src/admission/priority.ts';

const schedulingClass = (priority: SchedulingClass['priority']): SchedulingClass => ({
  caller: anyone,
  priority,
});

function queueOf(interactive: number, bulk: number): PriorityQueue<SchedulingClass> {
  const queue = new PriorityQueue<SchedulingClass>();
  for (let i = 0; i < bulk; i++) queue.add(schedulingClass('bulk'));
  for (let i = 0; i < interactive; i++) queue.add(schedulingClass('interactive'));
  return queue;
}

const letters = (batch: readonly SchedulingClass[]) => batch.map(({ priority }) => priority[0]).join('');

test('takes interactive before bulk that came earlier, and fills the batch with bulk', () => {
  const queue = queueOf(3, 5);
  assert.equal(letters(queue.take(4)), 'iiib');
  assert.equal(letters(queue.take(4)), 'bbbb');
  assert.equal(queue.size, 0);
});

test('lets bulk go first once after it was passed over for long, and then no more for as long', () => {
  const queue = queueOf(2 * (2 * bulkPatience + 4), 4);
  const batches = Array.from({ length: 2 * bulkPatience + 2 }, () => letters(queue.take(2)));
  const bulkBatches = batches.flatMap((batch, index) => (batch.includes('b') ? [index] : []));
  assert.deepEqual(bulkBatches, [bulkPatience, 2 * bulkPatience + 1]);
  assert.ok(batches[bulkPatience] === 'bb');
});

test('does not count batches while no bulk waits', () => {
  const queue = queueOf(2 * bulkPatience + 10, 0);
  for (let i = 0; i < bulkPatience + 5; i++) queue.take(1);
  queue.add(schedulingClass('bulk'));
  assert.equal(letters(queue.take(1)), 'i');
});

test('forgets what has left', () => {
  const queue = new PriorityQueue<SchedulingClass>();
  const [one, other] = [schedulingClass('bulk'), schedulingClass('bulk')];
  queue.add(one);
  queue.add(other);
  assert.ok(queue.delete(one));
  assert.ok(!queue.delete(one));
  assert.deepEqual(queue.take(2), [other]);
});
