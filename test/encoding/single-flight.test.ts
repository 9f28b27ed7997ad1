import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlightRefused, Flights } from '../../src/encoding/single-flight.ts';
import { ServiceError } from '../../src/errors/service-error.ts';

const never = new AbortController().signal;
const failure = new ServiceError('internal', 'It failed.');

test('everybody that asks for the same gets what one piece of work gives', async () => {
  const flights = new Flights<number>();
  const flight = flights.start('a');
  assert.equal(flights.find('a'), flight);
  assert.equal(flights.find('b'), undefined);
  const all = Promise.all([flight.join(never, 1), flight.join(never, 2)]);
  flight.land(7);
  assert.deepEqual(await all, [7, 7]);
  assert.equal(flights.find('a'), undefined);
  assert.equal(flights.size, 0);
});

test('a failure reaches everybody, and who asks again starts anew', async () => {
  const flights = new Flights<number>();
  const flight = flights.start('a');
  const all = Promise.allSettled([flight.join(never, 1), flight.join(never, 1)]);
  flight.fail(failure);
  assert.deepEqual(
    (await all).map((one) => one.status === 'rejected' && one.reason),
    [failure, failure],
  );
  assert.notEqual(flights.start('a'), flight);
});

test('work is abandoned when the last of those that wait has left, and not before', async () => {
  const flights = new Flights<number>();
  const flight = flights.start('a');
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [flight.join(first.signal, 1), flight.join(second.signal, 1)];
  const settled = Promise.allSettled(waits);
  first.abort();
  await assert.rejects(waits[0]!, { code: 'cancelled' });
  assert.equal(flight.signal.aborted, false);
  assert.equal(flights.find('a'), flight);
  second.abort(new ServiceError('deadline_exceeded', 'Too late.'));
  assert.equal(flight.signal.aborted, true);
  assert.equal(flights.find('a'), undefined, 'nobody joins what was abandoned');
  const [, last] = await settled;
  assert.equal(last!.status === 'rejected' && last!.reason.code, 'deadline_exceeded');
});

test('one that leaves does not take the answer from another', async () => {
  const flights = new Flights<number>();
  const flight = flights.start('a');
  const leaving = new AbortController();
  const left = assert.rejects(flight.join(leaving.signal, 1), { code: 'cancelled' });
  const stays = flight.join(never, 1);
  leaving.abort();
  flight.land(3);
  await left;
  assert.equal(await stays, 3);
});

test('one that has left already does not join', async () => {
  const flight = new Flights<number>().start('a');
  await assert.rejects(flight.join(AbortSignal.abort(), 1), { code: 'cancelled' });
  assert.equal(flight.signal.aborted, true);
});

test('is waited for until the latest deadline of those that wait', () => {
  const flight = new Flights<number>().start(undefined);
  for (const deadlineAt of [5, 9, 7]) void flight.join(never, deadlineAt);
  assert.equal(flight.deadlineAt, 9);
});

test('work without a key is found by nobody', () => {
  const flights = new Flights<number>();
  flights.start(undefined);
  assert.equal(flights.size, 0);
});

test('who found it before the last had left, and joins after, is told to begin anew', async () => {
  const flights = new Flights<number>();
  const flight = flights.start('a');
  const leaving = new AbortController();
  const left = assert.rejects(flight.join(leaving.signal, 1), { code: 'cancelled' });
  leaving.abort();
  await left;
  await assert.rejects(flight.join(never, 1), FlightRefused);
});
