/** Dtypes of weights in a checkpoint, and in the graph. */
export const storedDtypes = ['F32', 'F16', 'BF16'] as const;
export type StoredDtype = (typeof storedDtypes)[number];
export type WeightDtype = 'float32' | 'float16';

export const storedBytes = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<StoredDtype, number>;
export const weightBytes = { float32: 4, float16: 2 } as const satisfies Record<WeightDtype, number>;

/** Why a chunk of weights cannot be used. */
export type WeightFault = 'not finite' | 'beyond float16';

const halfExponent = 0x7c00;
const floatExponent = 0x7f800000;
/** Bits of 65,520, from which on float16 rounds to infinity. */
const halfOverflow = 0x477ff000;
/** Bits of 2^-14, the smallest normal float16. */
const halfNormal = 0x38800000;

/** Converted weights as little-endian bytes, or why they cannot be used. */
export type Converted = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly fault: WeightFault };

/**
 * Converts little-endian weights, rounding to nearest even. `stored` must start at a multiple of its element size in
 * its buffer, which the result may share.
 */
export function convertWeights(
  stored: Uint8Array<ArrayBuffer>,
  from: StoredDtype,
  to: WeightDtype,
): Converted {
  const count = stored.byteLength / storedBytes[from];
  if (from === 'F16' && to === 'float16') {
    const halves = new Uint16Array(stored.buffer, stored.byteOffset, count);
    for (let i = 0; i < count; i += 1) {
      if ((halves[i]! & halfExponent) === halfExponent) return { fault: 'not finite' };
    }
    return { bytes: stored };
  }
  const bits = floatBits(stored, from, count);
  for (let i = 0; i < count; i += 1) {
    if ((bits[i]! & floatExponent) === floatExponent) return { fault: 'not finite' };
  }
  if (to === 'float32') return { bytes: new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength) };
  const halves = new Uint16Array(count);
  for (let i = 0; i < count; i += 1) {
    const float = bits[i]!;
    if ((float & 0x7fffffff) >= halfOverflow) return { fault: 'beyond float16' };
    halves[i] = halfOfFloat(float);
  }
  return { bytes: new Uint8Array(halves.buffer) };
}

/** The weights as the bit patterns of float32. */
function floatBits(
  stored: Uint8Array<ArrayBuffer>,
  from: StoredDtype,
  count: number,
): Uint32Array<ArrayBuffer> {
  if (from === 'F32') return new Uint32Array(stored.buffer, stored.byteOffset, count);
  const narrow = new Uint16Array(stored.buffer, stored.byteOffset, count);
  const bits = new Uint32Array(count);
  if (from === 'BF16') {
    for (let i = 0; i < count; i += 1) bits[i] = narrow[i]! << 16;
  } else {
    for (let i = 0; i < count; i += 1) bits[i] = floatOfHalf(narrow[i]!);
  }
  return bits;
}

/** Bits of the float32 that equals a float16; infinity stays infinity, and NaN stays NaN. */
function floatOfHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = half & halfExponent;
  const fraction = half & 0x03ff;
  if (exponent === halfExponent) return sign | floatExponent | (fraction << 13);
  if (exponent !== 0) return sign | (((half & 0x7fff) << 13) + 0x38000000);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x03ff) << 13);
}

/** Bits of the float16 nearest to a float32 below the overflow, ties to even. */
function halfOfFloat(float: number): number {
  const sign = (float >>> 16) & 0x8000;
  const magnitude = float & 0x7fffffff;
  if (magnitude >= halfNormal) {
    return sign | ((magnitude - 0x38000000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x007fffff) | 0x00800000;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  const half = mantissa >>> shift;
  return sign | (half + (rest > tie || (rest === tie && (half & 1) === 1) ? 1 : 0));
}
