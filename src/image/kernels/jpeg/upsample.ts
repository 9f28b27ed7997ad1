// libjpeg-turbo's "fancy" upsampling, a triangle filter (jdsample.c), row by row. First come sums over one or two rows,
// then, if the width doubles, sums over neighbouring columns. Writes up to 16 bytes, and 32 of sums, past the width.

/** `sums` gets the row at `near` as int16, in front and behind a copy of its outermost sample. */
export function copyRow(near: usize, sums: usize, width: i32): void {
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const samples = v128.load(near + x);
    v128.store(sums + (x << 1), i16x8.extend_low_i8x16_u(samples));
    v128.store(sums + (x << 1), i16x8.extend_high_i8x16_u(samples), 16);
  }
  repeatEnds(sums, width);
}

/** `sums` gets 3 times the row at `near` plus the one at `far`, extended as in copyRow. */
export function addRows(near: usize, far: usize, sums: usize, width: i32): void {
  const three = i16x8.splat(3);
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const nearer = v128.load(near + x);
    const farther = v128.load(far + x);
    v128.store(
      sums + (x << 1),
      i16x8.add(i16x8.mul(i16x8.extend_low_i8x16_u(nearer), three), i16x8.extend_low_i8x16_u(farther)),
    );
    v128.store(
      sums + (x << 1),
      i16x8.add(i16x8.mul(i16x8.extend_high_i8x16_u(nearer), three), i16x8.extend_high_i8x16_u(farther)),
      16,
    );
  }
  repeatEnds(sums, width);
}

function repeatEnds(sums: usize, width: i32): void {
  store<i16>(sums - 2, load<i16>(sums));
  const end = sums + ((<usize>width) << 1);
  store<i16>(end, load<i16>(end - 2));
}

/**
 * `target` gets twice `width` samples: even ones from a column and the one before, odd ones from it and the next, with
 * their own biases.
 */
export function widen(sums: usize, target: usize, width: i32, evenBias: i16, oddBias: i16, shift: i32): void {
  const three = i16x8.splat(3);
  const biasEven = i16x8.splat(evenBias);
  const biasOdd = i16x8.splat(oddBias);
  for (let x: usize = 0; x < <usize>width; x += 8) {
    const at = sums + (x << 1);
    const tripled = i16x8.mul(v128.load(at), three);
    const even = i16x8.shr_u(i16x8.add(i16x8.add(tripled, v128.load(at - 2)), biasEven), shift);
    const odd = i16x8.shr_u(i16x8.add(i16x8.add(tripled, v128.load(at + 2)), biasOdd), shift);
    v128.store(target + (x << 1), v128.or(even, i16x8.shl(odd, 8)));
  }
}

/** `target` gets `width` samples: the sums, with a bias. */
export function narrow(sums: usize, target: usize, width: i32, bias: i16, shift: i32): void {
  const biases = i16x8.splat(bias);
  for (let x: usize = 0; x < <usize>width; x += 16) {
    const at = sums + (x << 1);
    v128.store(
      target + x,
      i8x16.narrow_i16x8_u(
        i16x8.shr_u(i16x8.add(v128.load(at), biases), shift),
        i16x8.shr_u(i16x8.add(v128.load(at, 16), biases), shift),
      ),
    );
  }
}
