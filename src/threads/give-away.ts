import { setImmediate as nextTurn } from 'node:timers/promises';

const copySliceBytes = 4 * 2 ** 20;

/**
 * Bytes that can be transferred to another thread: the same where they span their buffer, or own all of it, which is then
 * the receiver's. Otherwise a copy, made a slice a turn so that a large image does not hold the thread.
 */
export async function giveAway(bytes: Uint8Array, ownsBuffer = false): Promise<Uint8Array<ArrayBuffer>> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && (ownsBuffer || buffer.byteLength === byteLength))
    return new Uint8Array(buffer, byteOffset, byteLength);
  const copy = new Uint8Array(byteLength);
  for (let offset = 0; offset < byteLength; offset += copySliceBytes) {
    if (offset > 0) await nextTurn();
    copy.set(bytes.subarray(offset, offset + copySliceBytes), offset);
  }
  return copy;
}
