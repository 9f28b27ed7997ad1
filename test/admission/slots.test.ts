import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone, type Caller } from '../../src/admission/caller.ts';
import type { SchedulingClass } from '../../src/admission/priority.ts';
import { Slots } from '../../src/admission/slots.ts';
import { Gate } from '../support/gate.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

test('runs at most as much work at a time as it has slots, in order of arrival', async () => {
  const slots = new Slots(2);
  const started: number[] = [];
  const gates = [0, 1, 2, 3].map(() => new Gate());
  const all = gates.map((gate, index) =>
    slots.run(never, async () => {
      started.push(index);
      await gate.passed();
    }),
  );
  await turn();
  assert.deepEqual(started, [0, 1]);
  gates[1]!.open();
  await turn();
  assert.deepEqual(started, [0, 1, 2]);
  for (const gate of gates) gate.open();
  await Promise.all(all);
  assert.deepEqual(started, [0, 1, 2, 3]);
});

test('interactive work starts before bulk, and callers take turns', async () => {
  const slots = new Slots(1);
  const gate = new Gate();
  const started: string[] = [];
  const busy = slots.run(never, () => gate.passed());
  const run = (name: string, schedulingClass: SchedulingClass) =>
    slots.run(never, async () => void started.push(name), 0, schedulingClass);
  const ada: Caller = { ...anyone, name: 'ada' };
  const bob: Caller = { ...anyone, name: 'bob' };
  const all = [
    ...['b1', 'b2'].map((name) => run(name, { caller: ada, priority: 'bulk' })),
    ...['a1', 'a2', 'a3'].map((name) => run(name, { caller: ada, priority: 'interactive' })),
    run('c1', { caller: bob, priority: 'interactive' }),
  ];
  gate.open();
  await Promise.all([busy, ...all]);
  assert.deepEqual(started, ['a1', 'c1', 'a2', 'a3', 'b1', 'b2']);
});

test('work whose signal fires while it waits never runs and holds nobody up', async () => {
  const slots = new Slots(1);
  const gate = new Gate();
  const first = slots.run(never, () => gate.passed());
  const leaving = new AbortController();
  let ran = false;
  const left = assert.rejects(
    slots.run(leaving.signal, async () => {
      ran = true;
    }),
    /gone/,
  );
  const last = slots.run(never, async () => 'last');
  leaving.abort(new Error('gone'));
  await left;
  gate.open();
  await first;
  assert.equal(await last, 'last');
  assert.equal(ran, false);
});

test('a slot is free again after its work fails', async () => {
  const slots = new Slots(1);
  await assert.rejects(
    slots.run(never, () => Promise.reject(new Error('broke'))),
    /broke/,
  );
  assert.equal(await slots.run(never, async () => 1), 1);
});

test('closing rejects waiting and later work and waits for running work', async () => {
  const slots = new Slots(1);
  const gate = new Gate();
  const running = slots.run(never, async () => {
    await gate.passed();
    return 'ran';
  });
  const waiting = assert.rejects(
    slots.run(never, async () => 'waited'),
    /closed/,
  );
  let isClosed = false;
  const closed = slots.close(new Error('closed')).then(() => {
    isClosed = true;
  });
  await waiting;
  await assert.rejects(
    slots.run(never, async () => 'late'),
    /closed/,
  );
  await turn();
  assert.equal(isClosed, false);
  gate.open();
  assert.equal(await running, 'ran');
  await closed;
});

test('runs work up to its size limit at a time, and larger work alone', async () => {
  const slots = new Slots(8, 10);
  const started: number[] = [];
  const sizes = [6, 4, 25, 3];
  const gates = sizes.map(() => new Gate());
  const all = sizes.map((size, index) =>
    slots.run(
      never,
      async () => {
        started.push(index);
        await gates[index]!.passed();
      },
      size,
    ),
  );
  const steps = [
    [0, 1],
    [0, 1],
    [0, 1, 2],
    [0, 1, 2, 3],
  ];
  for (const [index, expected] of steps.entries()) {
    await turn();
    assert.deepEqual(started, expected);
    gates[index]!.open();
  }
  await Promise.all(all);
});

test('large work that stops waiting lets smaller work behind it start', async () => {
  const slots = new Slots(8, 10);
  const first = new Gate();
  const running = slots.run(never, () => first.passed(), 6);
  const leaving = new AbortController();
  const large = slots.run(leaving.signal, async () => 'large', 9);
  const small = slots.run(never, async () => 'small', 4);
  leaving.abort(new Error('gone'));
  await assert.rejects(large, /gone/);
  assert.equal(await small, 'small');
  first.open();
  await running;
});
