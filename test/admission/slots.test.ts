import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone, type Caller } from '../../src/admission/caller.ts';
import type { SchedulingClass } from '../../src/admission/priority.ts';
import { Slots } from '../../src/admission/slots.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test('runs no more at a time than it has slots, in order of arrival', async () => {
  const slots = new Slots(2);
  const started: number[] = [];
  const gates = [0, 1, 2, 3].map(() => gate());
  const all = gates.map(({ opened }, index) =>
    slots.run(never, async () => {
      started.push(index);
      await opened;
    }),
  );
  await turn();
  assert.deepEqual(started, [0, 1]);
  gates[1]!.open();
  await turn();
  assert.deepEqual(started, [0, 1, 2]);
  for (const { open } of gates) open();
  await Promise.all(all);
  assert.deepEqual(started, [0, 1, 2, 3]);
});

test('interactive work goes before bulk, and callers take turns', async () => {
  const slots = new Slots(1);
  const { opened, open } = gate();
  const started: string[] = [];
  const busy = slots.run(never, () => opened);
  const run = (name: string, schedulingClass: SchedulingClass) =>
    slots.run(never, async () => void started.push(name), 0, schedulingClass);
  const ada: Caller = { ...anyone, name: 'ada' };
  const bob: Caller = { ...anyone, name: 'bob' };
  const all = [
    ...['b1', 'b2'].map((name) => run(name, { caller: ada, priority: 'bulk' })),
    ...['a1', 'a2', 'a3'].map((name) => run(name, { caller: ada, priority: 'interactive' })),
    run('c1', { caller: bob, priority: 'interactive' }),
  ];
  open();
  await Promise.all([busy, ...all]);
  assert.deepEqual(started, ['a1', 'c1', 'a2', 'a3', 'b1', 'b2']);
});

test('one that leaves the line never runs and keeps nobody waiting', async () => {
  const slots = new Slots(1);
  const { opened, open } = gate();
  const first = slots.run(never, () => opened);
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
  open();
  await first;
  assert.equal(await last, 'last');
  assert.equal(ran, false);
});

test('a slot is free again after its work failed', async () => {
  const slots = new Slots(1);
  await assert.rejects(
    slots.run(never, () => Promise.reject(new Error('broke'))),
    /broke/,
  );
  assert.equal(await slots.run(never, async () => 1), 1);
});

test('closing refuses what waits and whatever comes, and lets what runs end', async () => {
  const slots = new Slots(1);
  const { opened, open } = gate();
  const running = slots.run(never, async () => {
    await opened;
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
  open();
  assert.equal(await running, 'ran');
  await closed;
});

test('runs no more at a time than its room takes, and what is larger than the room alone', async () => {
  const slots = new Slots(8, 10);
  const started: number[] = [];
  const sizes = [6, 4, 25, 3];
  const gates = sizes.map(() => gate());
  const all = sizes.map((size, index) =>
    slots.run(
      never,
      async () => {
        started.push(index);
        await gates[index]!.opened;
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

test('a large one that leaves the line lets pass those behind it', async () => {
  const slots = new Slots(8, 10);
  const first = gate();
  const running = slots.run(never, () => first.opened, 6);
  const leaving = new AbortController();
  const large = slots.run(leaving.signal, async () => 'large', 9);
  const small = slots.run(never, async () => 'small', 4);
  leaving.abort(new Error('gone'));
  await assert.rejects(large, /gone/);
  assert.equal(await small, 'small');
  first.open();
  await running;
});
