/** The fractional part of the golden ratio: its multiples, modulo 1, spread evenly. */
const golden = 0.6180339887498949;

/**
 * At most `atMost` of the indices 0 to `count` - 1, ascending: all of them if they are no more. Otherwise one index from
 * each of `atMost` equal stretches, at a place in it that differs from stretch to stretch, so that the picks do not
 * line up with the columns of a grid. The same arguments give the same indices.
 */
export function pickEvenly(count: number, atMost: number): Int32Array<ArrayBuffer> {
  if (count <= atMost) return Int32Array.from({ length: count }, (_, index) => index);
  const picked = new Int32Array(atMost);
  for (let i = 0; i < atMost; i++) {
    const first = Math.floor((i * count) / atMost);
    const end = Math.floor(((i + 1) * count) / atMost);
    picked[i] = first + Math.floor(((i * golden) % 1) * (end - first));
  }
  return picked;
}
