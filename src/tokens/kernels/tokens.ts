// float32 arithmetic on rows of tokens, and their rounding to float16, in WebAssembly SIMD (AssemblyScript).
//
// The functions take four or eight values at a time. Every buffer therefore needs 32 readable bytes after its end, which
// may be overwritten. Each multiplication and addition rounds by itself: there is no fused multiply-add.

/**
 * Interpolates one row of `width` tokens between two rows: across in each row, then down.
 * A tap is 16 bytes: byte offsets of the left and the right token (int32), the right one's share (float32), unused.
 * `down` is the bottom row's share.
 */
export function bilinear(
  top: usize,
  bottom: usize,
  target: usize,
  taps: usize,
  width: i32,
  channels: i32,
  down: f32,
): void {
  const bottomShare = f32x4.splat(down);
  const topShare = f32x4.splat(<f32>1 - down);
  const tokenBytes = (<usize>channels) << 2;
  for (let x = 0; x < width; x++) {
    const left: usize = load<u32>(taps);
    const right: usize = load<u32>(taps, 4);
    const across = load<f32>(taps, 8);
    const rightShare = f32x4.splat(across);
    const leftShare = f32x4.splat(<f32>1 - across);
    taps += 16;
    const topLeft = top + left;
    const topRight = top + right;
    const bottomLeft = bottom + left;
    const bottomRight = bottom + right;
    // The last vector may go past the token's end. The next token then overwrites what it wrote there.
    for (let at: usize = 0; at < tokenBytes; at += 16) {
      const above = f32x4.add(
        f32x4.mul(v128.load(topLeft + at), leftShare),
        f32x4.mul(v128.load(topRight + at), rightShare),
      );
      const below = f32x4.add(
        f32x4.mul(v128.load(bottomLeft + at), leftShare),
        f32x4.mul(v128.load(bottomRight + at), rightShare),
      );
      v128.store(target + at, f32x4.add(f32x4.mul(above, topShare), f32x4.mul(below, bottomShare)));
    }
    target += tokenBytes;
  }
}

/** target += source * weight, for exactly `count` values. */
export function addWeighted(source: usize, target: usize, count: i32, weight: f32): void {
  const weights = f32x4.splat(weight);
  const vectorsEnd = source + ((<usize>(count & ~3)) << 2);
  const end = source + ((<usize>count) << 2);
  while (source < vectorsEnd) {
    v128.store(target, f32x4.add(v128.load(target), f32x4.mul(v128.load(source), weights)));
    source += 16;
    target += 16;
  }
  while (source < end) {
    store<f32>(target, load<f32>(target) + load<f32>(source) * weight);
    source += 4;
    target += 4;
  }
}

/** target /= divisor, for exactly `count` values. */
export function divide(target: usize, count: i32, divisor: f32): void {
  const divisors = f32x4.splat(divisor);
  const vectorsEnd = target + ((<usize>(count & ~3)) << 2);
  const end = target + ((<usize>count) << 2);
  while (target < vectorsEnd) {
    v128.store(target, f32x4.div(v128.load(target), divisors));
    target += 16;
  }
  while (target < end) {
    store<f32>(target, load<f32>(target) / divisor);
    target += 4;
  }
}

/** Copies `count` values to every `step`th value of target. */
export function spread(source: usize, target: usize, count: i32, step: i32): void {
  const end = source + ((<usize>count) << 2);
  const stepBytes = (<usize>step) << 2;
  while (source < end) {
    store<f32>(target, load<f32>(source));
    source += 4;
    target += stepBytes;
  }
}

/** The largest absolute value, as bits. Bits order as values do, with infinity and NaN above all others. */
export function largestMagnitude(source: usize, count: i32): i32 {
  const end = source + ((<usize>count) << 2);
  v128.store(end, i32x4.splat(0));
  let largest = i32x4.splat(0);
  while (source < end) {
    largest = i32x4.max_s(largest, v128.and(v128.load(source), i32x4.splat(0x7fffffff)));
    source += 16;
  }
  return largestLane(largest);
}

/**
 * Rounds `count` values to the nearest float16, ties to even, subnormals included. Values that are too large, infinite
 * or NaN become infinite. Returns what largestMagnitude returns.
 */
export function toFloat16(source: usize, target: usize, count: i32): i32 {
  const end = source + ((<usize>count) << 2);
  v128.store(end, i32x4.splat(0));
  v128.store(end, i32x4.splat(0), 16);
  let largest = i32x4.splat(0);
  while (source < end) {
    const low = v128.load(source);
    const high = v128.load(source, 16);
    largest = i32x4.max_s(largest, v128.and(low, i32x4.splat(0x7fffffff)));
    largest = i32x4.max_s(largest, v128.and(high, i32x4.splat(0x7fffffff)));
    v128.store(target, i16x8.narrow_i32x4_u(halves(low), halves(high)));
    source += 32;
    target += 16;
  }
  return largestLane(largest);
}

/** Rounds `count` values to the nearest bfloat16, ties to even; NaN stays NaN. Returns what largestMagnitude returns. */
export function toBfloat16(source: usize, target: usize, count: i32): i32 {
  const end = source + ((<usize>count) << 2);
  v128.store(end, i32x4.splat(0));
  v128.store(end, i32x4.splat(0), 16);
  let largest = i32x4.splat(0);
  while (source < end) {
    const low = v128.load(source);
    const high = v128.load(source, 16);
    largest = i32x4.max_s(largest, v128.and(low, i32x4.splat(0x7fffffff)));
    largest = i32x4.max_s(largest, v128.and(high, i32x4.splat(0x7fffffff)));
    v128.store(target, i16x8.narrow_i32x4_u(upperHalves(low), upperHalves(high)));
    source += 32;
    target += 16;
  }
  return largestLane(largest);
}

/** Four bfloat16, each in an int32. */
function upperHalves(values: v128): v128 {
  const upper = i32x4.shr_u(values, 16);
  const odd = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(values, i32x4.splat(0x7fff)), odd), 16);
  const quietNan = v128.or(upper, i32x4.splat(0x40));
  return v128.bitselect(quietNan, rounded, f32x4.ne(values, values));
}

/** Four float16, each in an int32. */
function halves(values: v128): v128 {
  const sign = v128.and(i32x4.shr_u(values, 16), i32x4.splat(0x8000));
  const magnitude = i32x4.min_s(v128.and(values, i32x4.splat(0x7fffffff)), i32x4.splat(0x47800000));
  // Rebias the exponent by -112, then add half a unit in the last kept place, less one, plus that place's own bit.
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_s(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff - (112 << 23))), odd), 13);
  // Below 2^-14, adding 0.5 makes the addition itself round to a multiple of 2^-24, which is then the last bit.
  const half = f32x4.splat(0.5);
  const subnormal = i32x4.sub(f32x4.add(magnitude, half), half);
  const small = i32x4.lt_s(magnitude, i32x4.splat(0x38800000));
  return v128.or(sign, v128.bitselect(subnormal, normal, small));
}

function largestLane(values: v128): i32 {
  return max(
    max(i32x4.extract_lane(values, 0), i32x4.extract_lane(values, 1)),
    max(i32x4.extract_lane(values, 2), i32x4.extract_lane(values, 3)),
  );
}
