/**
 * The elements of a strided tensor in row-major order. `stored` begins with the tensor's first element and holds all
 * of them; `strides` are in elements.
 */
export function rowMajor(
  stored: Uint8Array<ArrayBuffer>,
  elementBytes: 2 | 4,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array<ArrayBuffer> {
  const Elements = elementBytes === 4 ? Uint32Array : Uint16Array;
  const from = new Elements(stored.buffer, stored.byteOffset, stored.byteLength / elementBytes);
  const to = new Elements(shape.reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let source = 0;
  for (let target = 0; target < to.length; target += 1) {
    to[target] = from[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      source += strides[axis]!;
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}
