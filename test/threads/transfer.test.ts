import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTransferable } from '../../src/threads/transfer.ts';

test('bytes that span their buffer are transferred without a copy', async () => {
  const bytes = Buffer.from(new Uint8Array([1, 2, 3]).buffer);
  const given = await toTransferable(bytes);
  assert.equal(given.buffer, bytes.buffer);
  structuredClone(given, { transfer: [given.buffer] });
  assert.equal(bytes.byteLength, 0);
});

test('part of a buffer is copied, however large it is', async () => {
  const whole = new Uint8Array(9 * 2 ** 20).map((_, i) => i % 251);
  const part = whole.subarray(3, -5);
  const given = await toTransferable(part);
  assert.notEqual(given.buffer, whole.buffer);
  assert.equal(given.buffer.byteLength, part.byteLength);
  assert.deepEqual(given, part);
});

test('shared memory is copied', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
  assert.deepEqual(await toTransferable(shared), new Uint8Array([7, 7, 7, 7]));
});

test('a part that owns all of its buffer is given with it', async () => {
  const whole = new Uint8Array([1, 2, 3, 4, 5]);
  const given = await toTransferable(whole.subarray(2), true);
  assert.deepEqual([given.buffer, ...given], [whole.buffer, 3, 4, 5]);
  structuredClone(given, { transfer: [given.buffer] });
  assert.equal(whole.byteLength, 0);
});
