/** Bytes per slice: a multiple of 3, so that only the last slice is padded. */
const sliceBytes = 3 * 64 * 1024;

/** The length of `sizeBytes` bytes as base64 text. */
export function base64Length(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 3) * 4;
}

/**
 * The joined buffers as base64 text, in the standard alphabet and padded. Up to 2 bytes at the end of a buffer are encoded
 * with the next one. Each slice is made in well under a millisecond.
 */
export function* base64Slices(buffers: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  let carry: Uint8Array = new Uint8Array(0);
  for (const buffer of buffers) {
    let start = 0;
    if (carry.byteLength > 0) {
      start = Math.min(3 - carry.byteLength, buffer.byteLength);
      carry = Buffer.concat([carry, buffer.subarray(0, start)]);
      if (carry.byteLength < 3) continue;
      yield base64(carry);
    }
    const end = start + Math.floor((buffer.byteLength - start) / 3) * 3;
    for (let at = start; at < end; at += sliceBytes) {
      yield base64(buffer.subarray(at, Math.min(at + sliceBytes, end)));
    }
    carry = buffer.subarray(end);
  }
  if (carry.byteLength > 0) yield base64(carry);
}

function base64(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return Buffer.from(text, 'latin1');
}
