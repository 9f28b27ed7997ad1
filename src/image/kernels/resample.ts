// The two passes of Pillow's resize over interleaved uint8 RGB, in WebAssembly SIMD (AssemblyScript).
//
// A weight c has 22 fractional bits and comes split as c = hi * 2^15 + lo with 0 <= lo < 2^15, so that both
// halves are 16-bit and i32x4.dot_i16x8_s multiplies and adds two taps of four samples at once. The two sums are
// joined modulo 2^32; the exact total fits 32 bits, so whatever the halves did on the way does not matter.
//
// Weights lie in pairs of taps: 8 bytes, int16 hi0, hi1, lo0, lo1. An odd last tap has a partner of weight 0, whose
// samples are read and ignored: every buffer needs 32 readable and 16 writable bytes after its end.

const half: i32 = 1 << 21;

function joined(hi: v128, lo: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.add(i32x4.shl(hi, 15), lo), i32x4.splat(half)), 22);
}

/**
 * Resamples `rows` rows of `width` output pixels each. Rows are taken four at a time, so both buffers must have
 * room for a multiple of four; strides are in bytes. `offsets` has the first source byte of every output pixel
 * (int32), `weights` its `pairs` pairs.
 */
export function horizontal(
  source: usize,
  sourceStride: usize,
  target: usize,
  targetStride: usize,
  rows: i32,
  width: i32,
  offsets: usize,
  weights: usize,
  pairs: i32,
): void {
  // Samples of two pixels as int16 pairs: r r g g b b (x x).
  const paired = i8x16(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const last = width - 1;
  for (let y = 0; y < rows; y += 4) {
    const row0 = source;
    const row1 = row0 + sourceStride;
    const row2 = row1 + sourceStride;
    const row3 = row2 + sourceStride;
    let out0 = target;
    let out1 = out0 + targetStride;
    let out2 = out1 + targetStride;
    let out3 = out2 + targetStride;
    let weight = weights;
    for (let x = 0; x < width; x++) {
      let at: usize = load<u32>(offsets + ((<usize>x) << 2));
      let hi0 = i32x4.splat(0);
      let hi1 = hi0;
      let hi2 = hi0;
      let hi3 = hi0;
      let lo0 = hi0;
      let lo1 = hi0;
      let lo2 = hi0;
      let lo3 = hi0;
      for (let pair = 0; pair < pairs; pair++) {
        const hi = v128.load32_splat(weight);
        const lo = v128.load32_splat(weight, 4);
        const pixels0 = i8x16.swizzle(v128.load64_zero(row0 + at), paired);
        hi0 = i32x4.add(hi0, i32x4.dot_i16x8_s(pixels0, hi));
        lo0 = i32x4.add(lo0, i32x4.dot_i16x8_s(pixels0, lo));
        const pixels1 = i8x16.swizzle(v128.load64_zero(row1 + at), paired);
        hi1 = i32x4.add(hi1, i32x4.dot_i16x8_s(pixels1, hi));
        lo1 = i32x4.add(lo1, i32x4.dot_i16x8_s(pixels1, lo));
        const pixels2 = i8x16.swizzle(v128.load64_zero(row2 + at), paired);
        hi2 = i32x4.add(hi2, i32x4.dot_i16x8_s(pixels2, hi));
        lo2 = i32x4.add(lo2, i32x4.dot_i16x8_s(pixels2, lo));
        const pixels3 = i8x16.swizzle(v128.load64_zero(row3 + at), paired);
        hi3 = i32x4.add(hi3, i32x4.dot_i16x8_s(pixels3, hi));
        lo3 = i32x4.add(lo3, i32x4.dot_i16x8_s(pixels3, lo));
        at += 6;
        weight += 8;
      }
      const bytes = i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(joined(hi0, lo0), joined(hi1, lo1)),
        i16x8.narrow_i32x4_s(joined(hi2, lo2), joined(hi3, lo3)),
      );
      if (x < last) {
        // The fourth byte is the next pixel's first, which is written right after.
        v128.store32_lane(out0, bytes, 0);
        v128.store32_lane(out1, bytes, 1);
        v128.store32_lane(out2, bytes, 2);
        v128.store32_lane(out3, bytes, 3);
      } else {
        v128.store16_lane(out0, bytes, 0);
        v128.store8_lane(out0, bytes, 2, 2);
        v128.store16_lane(out1, bytes, 2);
        v128.store8_lane(out1, bytes, 6, 2);
        v128.store16_lane(out2, bytes, 4);
        v128.store8_lane(out2, bytes, 10, 2);
        v128.store16_lane(out3, bytes, 6);
        v128.store8_lane(out3, bytes, 14, 2);
      }
      out0 += 3;
      out1 += 3;
      out2 += 3;
      out3 += 3;
    }
    source += sourceStride << 2;
    target += targetStride << 2;
  }
}

/**
 * Makes one row of `bytes` bytes from `pairs` pairs of source rows that lie `stride` bytes apart. Writes up to 15
 * bytes more than asked for, so rows are made in ascending order.
 */
export function vertical(
  source: usize,
  stride: usize,
  target: usize,
  bytes: i32,
  weights: usize,
  pairs: i32,
): void {
  const end = weights + ((<usize>pairs) << 3);
  const step = stride << 1;
  for (let x = 0; x < bytes; x += 16) {
    let at = source + <usize>x;
    let hi0 = i32x4.splat(0);
    let hi1 = hi0;
    let hi2 = hi0;
    let hi3 = hi0;
    let lo0 = hi0;
    let lo1 = hi0;
    let lo2 = hi0;
    let lo3 = hi0;
    for (let weight = weights; weight < end; weight += 8) {
      const hi = v128.load32_splat(weight);
      const lo = v128.load32_splat(weight, 4);
      const upper = v128.load(at);
      const lower = v128.load(at + stride);
      const left = i8x16.shuffle(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const right = i8x16.shuffle(upper, lower, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      const s0 = i16x8.extend_low_i8x16_u(left);
      const s1 = i16x8.extend_high_i8x16_u(left);
      const s2 = i16x8.extend_low_i8x16_u(right);
      const s3 = i16x8.extend_high_i8x16_u(right);
      hi0 = i32x4.add(hi0, i32x4.dot_i16x8_s(s0, hi));
      lo0 = i32x4.add(lo0, i32x4.dot_i16x8_s(s0, lo));
      hi1 = i32x4.add(hi1, i32x4.dot_i16x8_s(s1, hi));
      lo1 = i32x4.add(lo1, i32x4.dot_i16x8_s(s1, lo));
      hi2 = i32x4.add(hi2, i32x4.dot_i16x8_s(s2, hi));
      lo2 = i32x4.add(lo2, i32x4.dot_i16x8_s(s2, lo));
      hi3 = i32x4.add(hi3, i32x4.dot_i16x8_s(s3, hi));
      lo3 = i32x4.add(lo3, i32x4.dot_i16x8_s(s3, lo));
      at += step;
    }
    v128.store(
      target + <usize>x,
      i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(joined(hi0, lo0), joined(hi1, lo1)),
        i16x8.narrow_i32x4_s(joined(hi2, lo2), joined(hi3, lo3)),
      ),
    );
  }
}
