// The accurate inverse DCT of libjpeg-turbo (JDCT_ISLOW), after simd/x86_64/jidctint-sse2.asm. It equals jidctint.c for
// all coefficients of sound files; for others, 16-bit sums wrap and saturate as they do there.
//
// Four columns are taken at a time, whose sums fit into the registers. Where the lower half of the rows, or the right
// half of the columns, has no coefficients, they are left out: that changes no sum.
import { workAddress } from './memory-map.ts';

const passOneBits: i32 = 2;

// 13 fractional bits.
const f0298: i16 = 2446;
const f0390: i16 = 3196;
const f0541: i16 = 4433;
const f0765: i16 = 6270;
const f0899: i16 = 7373;
const f1175: i16 = 9633;
const f1501: i16 = 12299;
const f1847: i16 = 15137;
const f1961: i16 = 16069;
const f2053: i16 = 16819;
const f2562: i16 = 20995;
const f3072: i16 = 25172;

// Factors of pairs of inputs. They are loaded, which takes one instruction: a constant takes V8 three to five, in every turn of
// a loop.
const even3Of26 = memory.data<i16>([f0541 + f0765, f0541], 4);
const even2Of26 = memory.data<i16>([f0541, f0541 - f1847], 4);
const z3OfZ = memory.data<i16>([f1175 - f1961, f1175], 4);
const z4OfZ = memory.data<i16>([f1175, f1175 - f0390], 4);
const odd0Of71 = memory.data<i16>([f0298 - f0899, -f0899], 4);
const odd3Of71 = memory.data<i16>([-f0899, f1501 - f0899], 4);
const odd1Of53 = memory.data<i16>([f2053 - f2562, -f2562], 4);
const odd2Of53 = memory.data<i16>([-f2562, f3072 - f2562], 4);
// Where inputs 5 and 7 are 0.
const odd0Of31 = memory.data<i16>([f1175 - f1961, f1175 - f0899], 4);
const odd1Of31 = memory.data<i16>([f1175 - f2562, f1175 - f0390], 4);
const odd2Of31 = memory.data<i16>([f1175 - f1961 + f3072 - f2562, f1175], 4);
const odd3Of31 = memory.data<i16>([f1175, f1175 - f0390 + f1501 - f0899], 4);

/** Multiplies pairs of inputs by a pair of factors, and adds the two products. */
function times(inputs: v128, factors: usize): v128 {
  return i32x4.dot_i16x8_s(inputs, v128.load32_splat(factors));
}

function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

function low32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

function high32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

function low64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

function high64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

/** A class for its decorator alone, which TypeScript allows on no plain function: inlined, each call has constant flags. */
class Pass {
  /**
   * One pass over four columns of the 8 rows at `source`, of which the last four are 0 if `isHalf`. The first pass writes
   * the result, turned, to `target`; the last one writes the samples of four rows.
   */
  @inline
  static four(source: usize, target: usize, stride: usize, isHalf: bool, isLast: bool): void {
    const shift: i32 = isLast ? 18 : 11;
    const round = i32x4.splat(1 << (shift - 1));
    const zero = i16x8.splat(0);
    const in0 = v128.load64_zero(source);
    const in1 = v128.load64_zero(source, 16);
    const in2 = v128.load64_zero(source, 32);
    const in3 = v128.load64_zero(source, 48);
    let even0: v128, even1: v128, even2: v128, even3: v128, odd0: v128, odd1: v128, odd2: v128, odd3: v128;
    if (isHalf) {
      const in26 = low(in2, zero);
      const e3 = times(in26, even3Of26);
      const e2 = times(in26, even2Of26);
      const plus = i32x4.add(i32x4.shr_s(low(zero, in0), 3), round);
      even0 = i32x4.add(plus, e3);
      even3 = i32x4.sub(plus, e3);
      even1 = i32x4.add(plus, e2);
      even2 = i32x4.sub(plus, e2);
      const in31 = low(in3, in1);
      odd0 = times(in31, odd0Of31);
      odd1 = times(in31, odd1Of31);
      odd2 = times(in31, odd2Of31);
      odd3 = times(in31, odd3Of31);
    } else {
      const in4 = v128.load64_zero(source, 64);
      const in5 = v128.load64_zero(source, 80);
      const in6 = v128.load64_zero(source, 96);
      const in7 = v128.load64_zero(source, 112);
      const in26 = low(in2, in6);
      const e3 = times(in26, even3Of26);
      const e2 = times(in26, even2Of26);
      const plus = i32x4.add(i32x4.shr_s(low(zero, i16x8.add(in0, in4)), 3), round);
      const minus = i32x4.add(i32x4.shr_s(low(zero, i16x8.sub(in0, in4)), 3), round);
      even0 = i32x4.add(plus, e3);
      even3 = i32x4.sub(plus, e3);
      even1 = i32x4.add(minus, e2);
      even2 = i32x4.sub(minus, e2);
      const z = low(i16x8.add(in7, in3), i16x8.add(in5, in1));
      const z3 = times(z, z3OfZ);
      const z4 = times(z, z4OfZ);
      const in71 = low(in7, in1);
      const in53 = low(in5, in3);
      odd0 = i32x4.add(times(in71, odd0Of71), z3);
      odd3 = i32x4.add(times(in71, odd3Of71), z4);
      odd1 = i32x4.add(times(in53, odd1Of53), z4);
      odd2 = i32x4.add(times(in53, odd2Of53), z3);
    }
    const out0 = i32x4.shr_s(i32x4.add(even0, odd3), shift);
    const out7 = i32x4.shr_s(i32x4.sub(even0, odd3), shift);
    const out1 = i32x4.shr_s(i32x4.add(even1, odd2), shift);
    const out6 = i32x4.shr_s(i32x4.sub(even1, odd2), shift);
    const out2 = i32x4.shr_s(i32x4.add(even2, odd1), shift);
    const out5 = i32x4.shr_s(i32x4.sub(even2, odd1), shift);
    const out3 = i32x4.shr_s(i32x4.add(even3, odd0), shift);
    const out4 = i32x4.shr_s(i32x4.sub(even3, odd0), shift);
    if (isLast) {
      const turn = i8x16(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      const middle = i8x16.splat(-128);
      const left = i8x16.swizzle(
        v128.xor(
          i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(out0, out1), i16x8.narrow_i32x4_s(out2, out3)),
          middle,
        ),
        turn,
      );
      const right = i8x16.swizzle(
        v128.xor(
          i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(out4, out5), i16x8.narrow_i32x4_s(out6, out7)),
          middle,
        ),
        turn,
      );
      const upper = low32(left, right);
      const lower = high32(left, right);
      v128.store64_lane(target, upper, 0);
      v128.store64_lane(target + stride, upper, 1);
      v128.store64_lane(target + 2 * stride, lower, 0);
      v128.store64_lane(target + 3 * stride, lower, 1);
    } else {
      const p0 = i16x8.narrow_i32x4_s(out0, out4);
      const p1 = i16x8.narrow_i32x4_s(out1, out5);
      const p2 = i16x8.narrow_i32x4_s(out2, out6);
      const p3 = i16x8.narrow_i32x4_s(out3, out7);
      const l01 = low(p0, p1);
      const h01 = high(p0, p1);
      const l23 = low(p2, p3);
      const h23 = high(p2, p3);
      const la = low32(l01, l23);
      const lc = high32(l01, l23);
      const ha = low32(h01, h23);
      const hc = high32(h01, h23);
      v128.store(target, low64(la, ha));
      v128.store(target, high64(la, ha), 16);
      v128.store(target, low64(lc, hc), 32);
      v128.store(target, high64(lc, hc), 48);
    }
  }
}

/**
 * Writes the 8 x 8 samples of a block to `target`, and clears the block. `offsets` is the bitwise or of the offsets of its
 * coefficients.
 */
export function inverseDct(block: usize, offsets: u32, target: usize, stride: usize): void {
  if (offsets === 0) {
    fill(load<i16>(block), target, stride);
    store<i16>(block, 0);
    return;
  }
  const columns: usize = (offsets & 8) !== 0 ? 8 : 4;
  if (offsets < 16) {
    repeatFirstRow(block);
  } else if ((offsets & 64) !== 0) {
    for (let x: usize = 0; x < columns; x += 4)
      Pass.four(block + (x << 1), workAddress + (x << 4), 0, false, false);
  } else {
    for (let x: usize = 0; x < columns; x += 4)
      Pass.four(block + (x << 1), workAddress + (x << 4), 0, true, false);
  }
  if (columns === 8) {
    for (let y: usize = 0; y < 8; y += 4)
      Pass.four(workAddress + (y << 1), target + y * stride, stride, false, true);
  } else {
    for (let y: usize = 0; y < 8; y += 4)
      Pass.four(workAddress + (y << 1), target + y * stride, stride, true, true);
  }
  clearBlock(block);
}

/** memory.fill calls out of the kernel, which takes longer than the stores. */
function clearBlock(block: usize): void {
  const zero = i64x2.splat(0);
  for (let at = block; at < block + 128; at += 16) v128.store(at, zero);
}

/** A block of one level: both passes of a block that has only a DC coefficient. */
function fill(dc: i32, target: usize, stride: usize): void {
  const first = <i32>(<i16>(dc << passOneBits));
  const level = min(max((first + (1 << (passOneBits + 2))) >> (passOneBits + 3), -128), 127) + 128;
  const samples = i8x16.splat(<i8>level);
  for (let row = 0; row < 8; row++) {
    v128.store64_lane(target, samples, 0);
    target += stride;
  }
}

/** The first pass where only the first row has coefficients: libjpeg-turbo's short cut. */
function repeatFirstRow(block: usize): void {
  for (let column: usize = 0; column < 16; column += 2) {
    v128.store(workAddress + (column << 3), i16x8.splat(load<i16>(block + column) << (<i16>passOneBits)));
  }
}
