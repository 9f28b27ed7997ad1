// From YCbCr or grey to packed RGB, as libjpeg-turbo (jdcolor.c, simd/x86_64/jdcolext-sse2.asm) does:
//
//   R = Y + 1.40200 Cr, G = Y - 0.34414 Cb - 0.71414 Cr, B = Y + 1.77200 Cb
//
// with Cb and Cr less 128, 16 fractional bits, and the products rounded. Rows are written 16 pixels at a time, so each
// may be followed by 52 bytes of rubbish.

// Constants are loaded, which takes one instruction: see inverse-dct.ts.
/** 0.40200 with 15 fractional bits: gives what 0.40200 with 16 gives, for all 256 levels. */
const redOfCr = memory.data<i16>([13_173], 2);
/** -0.22800 with 15 fractional bits. */
const blueOfCb = memory.data<i16>([-7471], 2);
/** -0.34414 and 0.28586, with 16 fractional bits: of Cb and Cr. */
const greenOfChroma = memory.data<i16>([-22_554, 18_734], 4);
const half = memory.data<i32>([1 << 15], 4);
const middle = memory.data<u8>([128], 1);

/** The products of 8 pixels: the first ones' Cb and Cr in turn, then the last ones'. */
function greenOf(first: v128, second: v128): v128 {
  const factors = v128.load32_splat(greenOfChroma);
  const round = v128.load32_splat(half);
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(first, factors), round), 16),
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(second, factors), round), 16),
  );
}

function green(luma: v128, cb: v128, cr: v128): v128 {
  const products = greenOf(
    i8x16.shuffle(cb, cr, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23),
    i8x16.shuffle(cb, cr, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31),
  );
  return i16x8.add(luma, i16x8.sub(products, cr));
}

function red(luma: v128, cr: v128): v128 {
  return i16x8.add(i16x8.add(luma, cr), i16x8.q15mulr_sat_s(cr, v128.load16_splat(redOfCr)));
}

function blue(luma: v128, cb: v128): v128 {
  return i16x8.add(i16x8.add(luma, i16x8.add(cb, cb)), i16x8.q15mulr_sat_s(cb, v128.load16_splat(blueOfCb)));
}

/** Writes `width` pixels. */
export function rgbOfYcc(luma: usize, cb: usize, cr: usize, target: usize, width: i32): void {
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const y = v128.load(luma + x);
    const signed = v128.load8_splat(middle);
    const b = v128.xor(v128.load(cb + x), signed);
    const r = v128.xor(v128.load(cr + x), signed);
    const yLow = i16x8.extend_low_i8x16_u(y);
    const yHigh = i16x8.extend_high_i8x16_u(y);
    const bLow = i16x8.extend_low_i8x16_s(b);
    const bHigh = i16x8.extend_high_i8x16_s(b);
    const rLow = i16x8.extend_low_i8x16_s(r);
    const rHigh = i16x8.extend_high_i8x16_s(r);
    storePixels(
      target,
      i8x16.narrow_i16x8_u(red(yLow, rLow), red(yHigh, rHigh)),
      i8x16.narrow_i16x8_u(green(yLow, bLow, rLow), green(yHigh, bHigh, rHigh)),
      i8x16.narrow_i16x8_u(blue(yLow, bLow), blue(yHigh, bHigh)),
    );
    target += 48;
  }
}

/** Writes `width` grey pixels. */
export function rgbOfGrey(luma: usize, target: usize, width: i32): void {
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const grey = v128.load(luma + x);
    storePixels(target, grey, grey, grey);
    target += 48;
  }
}

/** Interleaves 16 pixels. Writes 4 bytes beyond. */
function storePixels(target: usize, r: v128, g: v128, b: v128): void {
  const rgLow = i8x16.shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const rgHigh = i8x16.shuffle(r, g, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const bLow = i8x16.shuffle(b, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const bHigh = i8x16.shuffle(b, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  storeFour(target, i8x16.shuffle(rgLow, bLow, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23));
  storeFour(
    target + 12,
    i8x16.shuffle(rgLow, bLow, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31),
  );
  storeFour(
    target + 24,
    i8x16.shuffle(rgHigh, bHigh, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23),
  );
  storeFour(
    target + 36,
    i8x16.shuffle(rgHigh, bHigh, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31),
  );
}

/** Writes the first three bytes of four pixels of four bytes. What it writes beyond is written again. */
function storeFour(target: usize, pixels: v128): void {
  v128.store(target, i8x16.swizzle(pixels, i8x16(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1)));
}
