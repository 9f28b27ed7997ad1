import { invalid } from './infer-request.ts';

const lengthBytes = 4;

/**
 * The elements of a raw BYTES tensor: each is its length as a little-endian uint32, then its bytes. They stay in the
 * tensor's buffer. Throws `invalid_argument` unless the tensor is exactly `count` elements.
 */
export function byteElements(name: string, raw: Uint8Array, count: number): Uint8Array[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (elements.length < count) {
    const start = at + lengthBytes;
    const end = start > raw.byteLength ? Number.POSITIVE_INFINITY : start + view.getUint32(at, true);
    if (end > raw.byteLength) {
      throw invalid(
        `The input "${name}" is cut off in element ${elements.length} of ${count}: each element of BYTES is its length as a ` +
          'little-endian uint32, then its bytes.',
      );
    }
    elements.push(raw.subarray(start, end));
    at = end;
  }
  if (at === raw.byteLength) return elements;
  throw invalid(
    `The input "${name}" has ${raw.byteLength - at} bytes after its ${count} elements; check its shape.`,
  );
}
