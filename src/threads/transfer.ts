import { setImmediate as nextTurn } from 'node:timers/promises';

const copySliceBytes = 4 * 2 ** 20;

/**
 * Bytes that can be transferred to another thread. Bytes that span their buffer, or are all that is used of it
 * (`ownsBuffer`), are returned as they are; the caller loses the buffer with the transfer. Others are copied, one slice
 * per turn, so that a large image does not block the thread.
 */
export async function toTransferable(
  bytes: Uint8Array,
  ownsBuffer = false,
): Promise<Uint8Array<ArrayBuffer>> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && (ownsBuffer || buffer.byteLength === byteLength)) {
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const copy = new Uint8Array(byteLength);
  for (let offset = 0; offset < byteLength; offset += copySliceBytes) {
    if (offset > 0) await nextTurn();
    copy.set(bytes.subarray(offset, offset + copySliceBytes), offset);
  }
  return copy;
}

/** Frees buffers at once, but for those that have been freed. Left to the garbage collector, buffers of this size make V8 run full collections often. */
export function freeBuffers(buffers: readonly Uint8Array<ArrayBuffer>[]): void {
  // A clone takes what is transferred to it, and this one holds nothing. A port that is closed would keep it in a worker.
  const held = buffers.map(({ buffer }) => buffer).filter(({ byteLength }) => byteLength > 0);
  structuredClone(undefined, { transfer: held });
}
