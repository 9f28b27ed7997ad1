// Arithmetic on tokens, in WebAssembly SIMD (AssemblyScript). Addresses are in bytes, `count` is in values. toHalf takes
// values by eights: its buffers need seven more, readable and writable.

/** sum += a * weight */
export function add(a: usize, weight: f32, sum: usize, count: i32): void {
  const w = f32x4.splat(weight);
  const end = (<usize>count) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    v128.store(sum + i, f32x4.add(v128.load(sum + i), f32x4.mul(v128.load(a + i), w)));
  }
  for (; i < end; i += 4) store<f32>(sum + i, load<f32>(sum + i) + load<f32>(a + i) * weight);
}

/** sum += a * weightA + b * weightB + c * weightC + d * weightD */
export function blend(
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  weightA: f32,
  weightB: f32,
  weightC: f32,
  weightD: f32,
  sum: usize,
  count: i32,
): void {
  const wa = f32x4.splat(weightA);
  const wb = f32x4.splat(weightB);
  const wc = f32x4.splat(weightC);
  const wd = f32x4.splat(weightD);
  const end = (<usize>count) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    const ab = f32x4.add(f32x4.mul(v128.load(a + i), wa), f32x4.mul(v128.load(b + i), wb));
    const cd = f32x4.add(f32x4.mul(v128.load(c + i), wc), f32x4.mul(v128.load(d + i), wd));
    v128.store(sum + i, f32x4.add(v128.load(sum + i), f32x4.add(ab, cd)));
  }
  for (; i < end; i += 4) {
    const ab = load<f32>(a + i) * weightA + load<f32>(b + i) * weightB;
    const cd = load<f32>(c + i) * weightC + load<f32>(d + i) * weightD;
    store<f32>(sum + i, load<f32>(sum + i) + (ab + cd));
  }
}

/** target[i * step] = a[i] */
export function scatter(a: usize, target: usize, step: i32, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    store<f32>(target + ((i * <usize>step) << 2), load<f32>(a + (i << 2)));
  }
}

/**
 * Rounds float32 to float16 as IEEE 754 does by default: to nearest, ties to even, overflow to infinity. Gives 1
 * when every value is finite as float16, else 0.
 */
export function toHalf(source: usize, target: usize, count: i32): i32 {
  let unusual = i32x4.splat(0);
  for (let i: usize = 0, end = <usize>count; i < end; i += 8) {
    const low = v128.load(source + (i << 2));
    const high = v128.load(source + (i << 2), 16);
    unusual = v128.or(unusual, v128.or(overflows(low), overflows(high)));
    v128.store(target + (i << 1), i16x8.narrow_i32x4_u(half(low), half(high)));
  }
  return v128.any_true(unusual) ? 0 : 1;
}

function overflows(bits: v128): v128 {
  return i32x4.ge_s(v128.and(bits, i32x4.splat(0x7fffffff)), i32x4.splat(0x477ff000));
}

function half(bits: v128): v128 {
  const magnitude = v128.and(bits, i32x4.splat(0x7fffffff));
  const sign = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000));
  // Rebias the exponent and round off 13 bits.
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0x0fff - 0x38000000)), odd), 13);
  // Under 2^-14: adding 0.5 leaves the float16's bits at the end of the mantissa, rounded by the addition.
  const tiny = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const isTiny = i32x4.lt_s(magnitude, i32x4.splat(0x38800000));
  const finite = v128.bitselect(tiny, normal, isTiny);
  const isNan = i32x4.gt_s(magnitude, i32x4.splat(0x7f800000));
  const beyond = v128.bitselect(i32x4.splat(0x7e00), i32x4.splat(0x7c00), isNan);
  const isBeyond = i32x4.ge_s(magnitude, i32x4.splat(0x477ff000));
  return v128.or(sign, v128.bitselect(beyond, finite, isBeyond));
}
