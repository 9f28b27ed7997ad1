/**
 * Rounds float32 values to float16 as IEEE 754 does by default: to nearest, ties to even, overflow to infinity.
 * Works on bits; `target` gets as many values as `source` has, from `offset` on. Gives whether all are finite.
 */
export function writeFloat16(source: Uint32Array, target: Uint16Array, offset: number): boolean {
  let isFinite = true;
  for (let i = 0; i < source.length; i++) {
    const bits = source[i]!;
    const magnitude = bits & 0x7fffffff;
    const sign = (bits >>> 16) & 0x8000;
    // From 2^-14 to what rounds to 65504: rebias the exponent and round off 13 bits.
    if (magnitude >= 0x38800000 && magnitude < 0x477ff000) {
      target[offset + i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else {
      const half = unusualHalf(magnitude);
      isFinite &&= half < 0x7c00;
      target[offset + i] = sign | half;
    }
  }
  return isFinite;
}

/** Too small for a normal float16, too large, or not a number. */
function unusualHalf(magnitude: number): number {
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x477ff000) return 0x7c00;
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && (half & 1) === 1) ? half + 1 : half;
}
