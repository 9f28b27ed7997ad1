/** The float32 of each of the 65,536 float16 bit patterns. */
let table: Float32Array | undefined;

/** The values of little-endian float16 bytes. Half the memory traffic of arithmetic on the bits: one look-up a value. */
export function decodeFloat16(bytes: ArrayBuffer): Float32Array {
  table ??= makeTable();
  const halves = new Uint16Array(bytes);
  const values = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++) values[index] = table[halves[index]!]!;
  return values;
}

function makeTable(): Float32Array {
  return Float32Array.from({ length: 65_536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
