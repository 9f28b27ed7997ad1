import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SingleFlight } from '../../src/encoding/single-flight.ts';
import type { StopSignal } from '../../src/errors/abort.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

const never = new AbortController().signal;
const failure = new ServiceError('internal', 'It failed.');

/** Work that the test ends, and the signal with which it was started. */
function work() {
  let land: (value: number) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const outcome = new Promise<number>((resolve, reject) => {
    land = resolve;
    fail = reject;
  });
  const signals: StopSignal[] = [];
  const run = (signal: StopSignal): Promise<number> => {
    signals.push(signal);
    return outcome;
  };
  return { run, land, fail, signal: () => signals[0]! };
}

test('all requests for a key get the result of one piece of work', async () => {
  const flights = new SingleFlight<number>();
  const { run, land } = work();
  const flight = flights.start('a', run);
  assert.equal(flights.find('a'), flight);
  assert.equal(flights.find('b'), undefined);
  const all = Promise.all([flight.join(never), flight.join(never)]);
  land(7);
  assert.deepEqual(await all, [7, 7]);
  assert.equal(flights.find('a'), undefined);
});

test('a failure reaches all that wait, and then the work can be started again', async () => {
  const flights = new SingleFlight<number>();
  const { run, fail } = work();
  const flight = flights.start('a', run);
  const all = Promise.allSettled([flight.join(never), flight.join(never)]);
  fail(failure);
  assert.deepEqual(
    (await all).map((one) => one.status === 'rejected' && one.reason),
    [failure, failure],
  );
  assert.equal(flights.find('a'), undefined);
});

test('work is aborted when the last request leaves, and not before', async () => {
  const flights = new SingleFlight<number>();
  const { run, signal } = work();
  const flight = flights.start('a', run);
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [flight.join(first.signal), flight.join(second.signal)];
  const settled = Promise.allSettled(waits);
  first.abort();
  await assert.rejects(waits[0]!, { code: 'cancelled' });
  assert.equal(signal().aborted, false);
  assert.equal(flights.find('a'), flight);
  second.abort(new ServiceError('deadline_exceeded', 'Too late.'));
  assert.equal(signal().aborted, true);
  assert.equal(flights.find('a'), undefined, 'nobody can join aborted work');
  const [, last] = await settled;
  assert.equal(last!.status === 'rejected' && last!.reason.code, 'deadline_exceeded');
});

test('a request that leaves does not take the result from another', async () => {
  const { run, land } = work();
  const flight = new SingleFlight<number>().start('a', run);
  const leaving = new AbortController();
  const left = assert.rejects(flight.join(leaving.signal), { code: 'cancelled' });
  const stays = flight.join(never);
  leaving.abort();
  land(3);
  await left;
  assert.equal(await stays, 3);
});

test('a request that has already left does not join', async () => {
  const { run, signal } = work();
  const flight = new SingleFlight<number>().start('a', run);
  await assert.rejects(flight.join(AbortSignal.abort()), { code: 'cancelled' });
  assert.equal(signal().aborted, true);
});
