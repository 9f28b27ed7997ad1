// The accurate inverse DCT of libjpeg-turbo (JDCT_ISLOW), after simd/x86_64/jidctint-sse2.asm. It equals jidctint.c for
// all coefficients of sound files; for others, 16-bit sums wrap and saturate as they do there.
import { blockAddress, workAddress } from './memory-map.ts';

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

function pairs(first: i16, second: i16): v128 {
  return i16x8(first, second, first, second, first, second, first, second);
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

function sum(lowA: v128, highA: v128, lowB: v128, highB: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(lowA, lowB), shift),
    i32x4.shr_s(i32x4.add(highA, highB), shift),
  );
}

function difference(lowA: v128, highA: v128, lowB: v128, highB: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.sub(lowA, lowB), shift),
    i32x4.shr_s(i32x4.sub(highA, highB), shift),
  );
}

/** One pass over the columns of the 8 rows at `source`; writes the result, turned, to `target`. */
function pass(source: usize, target: usize, shift: i32): void {
  const round = i32x4.splat(1 << (shift - 1));
  const zero = i16x8.splat(0);

  // The even part.
  const in0 = v128.load(source);
  const in2 = v128.load(source, 32);
  const in4 = v128.load(source, 64);
  const in6 = v128.load(source, 96);
  const low26 = low(in2, in6);
  const high26 = high(in2, in6);
  const even3Low = i32x4.dot_i16x8_s(low26, pairs(f0541 + f0765, f0541));
  const even3High = i32x4.dot_i16x8_s(high26, pairs(f0541 + f0765, f0541));
  const even2Low = i32x4.dot_i16x8_s(low26, pairs(f0541, f0541 - f1847));
  const even2High = i32x4.dot_i16x8_s(high26, pairs(f0541, f0541 - f1847));
  const plus = i16x8.add(in0, in4);
  const minus = i16x8.sub(in0, in4);
  const plusLow = i32x4.add(i32x4.shr_s(low(zero, plus), 3), round);
  const plusHigh = i32x4.add(i32x4.shr_s(high(zero, plus), 3), round);
  const minusLow = i32x4.add(i32x4.shr_s(low(zero, minus), 3), round);
  const minusHigh = i32x4.add(i32x4.shr_s(high(zero, minus), 3), round);
  const even10Low = i32x4.add(plusLow, even3Low);
  const even10High = i32x4.add(plusHigh, even3High);
  const even13Low = i32x4.sub(plusLow, even3Low);
  const even13High = i32x4.sub(plusHigh, even3High);
  const even11Low = i32x4.add(minusLow, even2Low);
  const even11High = i32x4.add(minusHigh, even2High);
  const even12Low = i32x4.sub(minusLow, even2Low);
  const even12High = i32x4.sub(minusHigh, even2High);

  // The odd part.
  const in1 = v128.load(source, 16);
  const in3 = v128.load(source, 48);
  const in5 = v128.load(source, 80);
  const in7 = v128.load(source, 112);
  const z3 = i16x8.add(in7, in3);
  const z4 = i16x8.add(in5, in1);
  const zLow = low(z3, z4);
  const zHigh = high(z3, z4);
  const z3Low = i32x4.dot_i16x8_s(zLow, pairs(f1175 - f1961, f1175));
  const z3High = i32x4.dot_i16x8_s(zHigh, pairs(f1175 - f1961, f1175));
  const z4Low = i32x4.dot_i16x8_s(zLow, pairs(f1175, f1175 - f0390));
  const z4High = i32x4.dot_i16x8_s(zHigh, pairs(f1175, f1175 - f0390));
  const low71 = low(in7, in1);
  const high71 = high(in7, in1);
  const odd0Low = i32x4.add(i32x4.dot_i16x8_s(low71, pairs(f0298 - f0899, -f0899)), z3Low);
  const odd0High = i32x4.add(i32x4.dot_i16x8_s(high71, pairs(f0298 - f0899, -f0899)), z3High);
  const odd3Low = i32x4.add(i32x4.dot_i16x8_s(low71, pairs(-f0899, f1501 - f0899)), z4Low);
  const odd3High = i32x4.add(i32x4.dot_i16x8_s(high71, pairs(-f0899, f1501 - f0899)), z4High);
  const low53 = low(in5, in3);
  const high53 = high(in5, in3);
  const odd1Low = i32x4.add(i32x4.dot_i16x8_s(low53, pairs(f2053 - f2562, -f2562)), z4Low);
  const odd1High = i32x4.add(i32x4.dot_i16x8_s(high53, pairs(f2053 - f2562, -f2562)), z4High);
  const odd2Low = i32x4.add(i32x4.dot_i16x8_s(low53, pairs(-f2562, f3072 - f2562)), z3Low);
  const odd2High = i32x4.add(i32x4.dot_i16x8_s(high53, pairs(-f2562, f3072 - f2562)), z3High);

  const out0 = sum(even10Low, even10High, odd3Low, odd3High, shift);
  const out7 = difference(even10Low, even10High, odd3Low, odd3High, shift);
  const out1 = sum(even11Low, even11High, odd2Low, odd2High, shift);
  const out6 = difference(even11Low, even11High, odd2Low, odd2High, shift);
  const out2 = sum(even12Low, even12High, odd1Low, odd1High, shift);
  const out5 = difference(even12Low, even12High, odd1Low, odd1High, shift);
  const out3 = sum(even13Low, even13High, odd0Low, odd0High, shift);
  const out4 = difference(even13Low, even13High, odd0Low, odd0High, shift);

  const a0 = low(out0, out1);
  const a1 = high(out0, out1);
  const a2 = low(out2, out3);
  const a3 = high(out2, out3);
  const a4 = low(out4, out5);
  const a5 = high(out4, out5);
  const a6 = low(out6, out7);
  const a7 = high(out6, out7);
  const b0 = low32(a0, a2);
  const b1 = high32(a0, a2);
  const b2 = low32(a1, a3);
  const b3 = high32(a1, a3);
  const b4 = low32(a4, a6);
  const b5 = high32(a4, a6);
  const b6 = low32(a5, a7);
  const b7 = high32(a5, a7);
  v128.store(target, low64(b0, b4));
  v128.store(target, high64(b0, b4), 16);
  v128.store(target, low64(b1, b5), 32);
  v128.store(target, high64(b1, b5), 48);
  v128.store(target, low64(b2, b6), 64);
  v128.store(target, high64(b2, b6), 80);
  v128.store(target, low64(b3, b7), 96);
  v128.store(target, high64(b3, b7), 112);
}

function storeRows(target: usize, stride: usize, from: usize): void {
  const samples = v128.xor(i8x16.narrow_i16x8_s(v128.load(from), v128.load(from, 16)), i8x16.splat(-128));
  v128.store64_lane(target, samples, 0);
  v128.store64_lane(target + stride, samples, 1);
}

/**
 * Writes the 8 x 8 samples of the block's coefficients, whose first one is `dc`, to `target`, and clears the block.
 * `offsets` is the bitwise or of the offsets of its other coefficients.
 */
export function inverseDct(dc: i32, offsets: i32, target: usize, stride: usize): void {
  if (offsets === 0) {
    fill(dc, target, stride);
    return;
  }
  store<i16>(blockAddress, dc);
  if (offsets < 16) repeatFirstRow();
  else pass(blockAddress, workAddress, 13 - passOneBits);
  pass(workAddress, workAddress, 13 + passOneBits + 3);
  storeRows(target, stride, workAddress);
  storeRows(target + 2 * stride, stride, workAddress + 32);
  storeRows(target + 4 * stride, stride, workAddress + 64);
  storeRows(target + 6 * stride, stride, workAddress + 96);
  clearBlock();
}

/** memory.fill calls out of the kernel, which takes longer than the stores. */
function clearBlock(): void {
  const zero = i64x2.splat(0);
  for (let at = blockAddress; at < blockAddress + 128; at += 16) v128.store(at, zero);
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
function repeatFirstRow(): void {
  for (let column: usize = 0; column < 16; column += 2) {
    v128.store(
      workAddress + (column << 3),
      i16x8.splat(load<i16>(blockAddress + column) << (<i16>passOneBits)),
    );
  }
}
