/** The number that a float16's bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const largestHalf = 0x7bff;

/** Bits of the float16 nearest to a value, found by looking for it; of two as near, the even one. */
export function nearestHalf(value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  let low = 0;
  let high = largestHalf + 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (halfValue(middle) <= magnitude) low = middle;
    else high = middle;
  }
  // Above the largest the next step would be 65536, and half way there rounding goes to infinity.
  const next = low === largestHalf ? 65536 : halfValue(low + 1);
  const above = magnitude - halfValue(low);
  const below = next - magnitude;
  return sign | (above < below || (above === below && low % 2 === 0) ? low : low + 1);
}

/** Bits of the bfloat16 nearest to a float32, ties to even. */
export function nearestBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const low = bits >>> 16;
  const rest = bits & 0xffff;
  return rest > 0x8000 || (rest === 0x8000 && low % 2 === 1) ? low + 1 : low;
}
