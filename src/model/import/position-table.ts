/** A checkpoint's positions: `classTokens` rows, and then the rows of a square grid, row-major. */
export interface PositionTable {
  readonly values: Float32Array<ArrayBuffer>;
  readonly channels: number;
  readonly classTokens: number;
}

/**
 * The table for a grid of another side, as transformers' interpolate_pos_encoding makes it: by torch's bicubic
 * interpolation (a = -0.75, align_corners=False, no antialias), with the class token's row kept. Sums are in double.
 */
export function resizePositions(
  { values, channels, classTokens }: PositionTable,
  side: number,
): Float32Array<ArrayBuffer> {
  const from = Math.round(Math.sqrt(values.length / channels - classTokens));
  if (from === side) return values;
  const head = classTokens * channels;
  const resized = new Float32Array(head + side * side * channels);
  resized.set(values.subarray(0, head));
  const axis = Array.from({ length: side }, (_, index) => cubicTaps(index, from, side));
  for (const [y, down] of axis.entries()) {
    for (const [x, across] of axis.entries()) {
      const target = head + (y * side + x) * channels;
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        for (const { at: row, weight: rowWeight } of down) {
          let line = 0;
          for (const { at, weight } of across)
            line += weight * values[head + (row * from + at) * channels + channel]!;
          sum += rowWeight * line;
        }
        resized[target + channel] = sum;
      }
    }
  }
  return resized;
}

interface Tap {
  readonly at: number;
  readonly weight: number;
}

/** The four input samples of output sample `index`, on an axis of `from` and `to` samples; the last one repeats beyond an end. */
function cubicTaps(index: number, from: number, to: number): Tap[] {
  // In float32 throughout, as in torch, which moves a centre by some millionths.
  const scale = Math.fround(from / to);
  const centre = Math.fround(Math.fround(scale * Math.fround(index + 0.5)) - 0.5);
  const base = Math.floor(centre);
  return [-1, 0, 1, 2].map((offset) => ({
    at: Math.min(Math.max(base + offset, 0), from - 1),
    weight: cubic(Math.abs(centre - base - offset)),
  }));
}

/** Keys' cubic convolution with torch's a = -0.75. */
function cubic(x: number): number {
  const a = -0.75;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}
