// From YCbCr or grey to packed RGB, as libjpeg-turbo (jdcolor.c, simd/x86_64/jdcolext-sse2.asm) does:
//
//   R = Y + 1.40200 Cr, G = Y - 0.34414 Cb - 0.71414 Cr, B = Y + 1.77200 Cb
//
// with Cb and Cr less 128, 16 fractional bits, and the products rounded. Rows are written 16 pixels at a time, so each
// may be followed by 48 bytes of rubbish.

/** 0.40200 with 15 fractional bits: gives what 0.40200 with 16 gives, for all 256 levels. */
const redOfCr: i16 = 13_173;
/** -0.22800 with 15 fractional bits. */
const blueOfCb: i16 = -7471;
/** -0.34414 and 0.28586, with 16 fractional bits. */
const greenOfCb: i16 = -22_554;
const greenOfCr: i16 = 18_734;

function green(luma: v128, cb: v128, cr: v128): v128 {
  const factors = i16x8(
    greenOfCb,
    greenOfCr,
    greenOfCb,
    greenOfCr,
    greenOfCb,
    greenOfCr,
    greenOfCb,
    greenOfCr,
  );
  const half = i32x4.splat(1 << 15);
  const first = i8x16.shuffle(cb, cr, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  const second = i8x16.shuffle(cb, cr, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  const products = i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(first, factors), half), 16),
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(second, factors), half), 16),
  );
  return i16x8.add(luma, i16x8.sub(products, cr));
}

function red(luma: v128, cr: v128): v128 {
  return i16x8.add(i16x8.add(luma, cr), i16x8.q15mulr_sat_s(cr, i16x8.splat(redOfCr)));
}

function blue(luma: v128, cb: v128): v128 {
  return i16x8.add(i16x8.add(luma, i16x8.add(cb, cb)), i16x8.q15mulr_sat_s(cb, i16x8.splat(blueOfCb)));
}

/** Writes `width` pixels. */
export function rgbOfYcc(luma: usize, cb: usize, cr: usize, target: usize, width: i32): void {
  const middle = i16x8.splat(128);
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const y = v128.load(luma + x);
    const b = v128.load(cb + x);
    const r = v128.load(cr + x);
    const yLow = i16x8.extend_low_i8x16_u(y);
    const yHigh = i16x8.extend_high_i8x16_u(y);
    const bLow = i16x8.sub(i16x8.extend_low_i8x16_u(b), middle);
    const bHigh = i16x8.sub(i16x8.extend_high_i8x16_u(b), middle);
    const rLow = i16x8.sub(i16x8.extend_low_i8x16_u(r), middle);
    const rHigh = i16x8.sub(i16x8.extend_high_i8x16_u(r), middle);
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

/** Interleaves 16 pixels. Swizzles keep their constants out of the loop, as shuffles would not. */
function storePixels(target: usize, r: v128, g: v128, b: v128): void {
  v128.store(
    target,
    v128.or(
      v128.or(
        i8x16.swizzle(r, i8x16(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5)),
        i8x16.swizzle(g, i8x16(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1)),
      ),
      i8x16.swizzle(b, i8x16(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1)),
    ),
    0,
  );
  v128.store(
    target,
    v128.or(
      v128.or(
        i8x16.swizzle(r, i8x16(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1)),
        i8x16.swizzle(g, i8x16(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10)),
      ),
      i8x16.swizzle(b, i8x16(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1)),
    ),
    16,
  );
  v128.store(
    target,
    v128.or(
      v128.or(
        i8x16.swizzle(r, i8x16(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1)),
        i8x16.swizzle(g, i8x16(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1)),
      ),
      i8x16.swizzle(b, i8x16(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15)),
    ),
    32,
  );
}
