import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchTimes } from '../../src/inference/batch-times.ts';

/** Batch times of an engine on which larger batches pay up to 32. */
const batchMs = (views: number) => 20 + 5 * views;

function calibrated(): BatchTimes {
  const times = new BatchTimes();
  for (const views of [1, 2, 4, 8, 16, 32]) times.calibrate(views, batchMs(views));
  return times;
}

test('the best batch is 1 where a view costs the same in any batch', () => {
  const times = new BatchTimes();
  for (const views of [1, 2, 4, 8]) times.calibrate(views, 100 * views);
  assert.equal(times.knee(32), 1);
});

test('the best batch is the smallest near the best rate where a batch has a fixed cost', () => {
  const times = new BatchTimes();
  for (const views of [1, 2, 4, 8, 16, 32]) times.calibrate(views, 20 + 5 * views);
  assert.equal(times.knee(32), 32);
  assert.equal(times.knee(8), 8);
  const flat = new BatchTimes();
  for (const views of [1, 2, 4, 8, 16, 32]) flat.calibrate(views, 2 + 5 * views);
  assert.equal(flat.knee(32), 8);
});

test('the best batch is 1 before anything is measured', () => {
  assert.equal(new BatchTimes().knee(32), 1);
});

test('sizes without a measured time are estimated from their neighbours', () => {
  const times = new BatchTimes();
  assert.equal(times.estimateMs(3), undefined);
  times.calibrate(2, 20);
  assert.equal(times.estimateMs(1), 10);
  times.calibrate(4, 50);
  assert.equal(times.estimateMs(3), 35);
  assert.equal(times.estimateMs(8), 100);
});

test('one batch that is held up changes neither its time nor the best batch', () => {
  const times = calibrated();
  times.record(32, 10 * batchMs(32));
  assert.equal(times.estimateMs(32), batchMs(32));
  assert.equal(times.knee(32), 32);
  for (let i = 0; i < 20; i++) {
    times.record(32, (i % 3 === 2 ? 10 : 1) * batchMs(32));
    assert.equal(times.knee(32), 32);
  }
});

test('a changed time is learned within nine batches', () => {
  const times = calibrated();
  for (let i = 0; i < 9; i++) times.record(32, 2 * batchMs(32));
  assert.equal(times.estimateMs(32), 2 * batchMs(32));
  assert.equal(times.knee(32), 16);
});

test('a size that was slow for a while is tried again', () => {
  const times = calibrated();
  for (let i = 0; i < 9; i++) times.record(32, 2 * batchMs(32));
  for (let batches = 0; batches < 300; batches++) times.record(16, batchMs(16));
  assert.equal(times.knee(32), 32);
  times.record(32, batchMs(32));
  assert.equal(times.knee(32), 32);
});

test('a size that warm-up did not run is forgotten when it is no longer run', () => {
  const times = new BatchTimes();
  times.calibrate(1, 10);
  times.record(3, 90);
  assert.equal(times.estimateMs(3), 90);
  for (let i = 0; i < 300; i++) times.record(1, 10);
  assert.deepEqual(times.entries(), [[1, 10]]);
});
