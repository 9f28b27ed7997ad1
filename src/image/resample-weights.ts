import type { Resample } from '../recipes/plan.ts';

/** Half-open range of the samples of an axis. */
export interface SampleRange {
  readonly from: number;
  readonly to: number;
}

/** For one axis: the input samples that make up each output sample, and their weights. */
export interface Weights {
  /** Most input samples of any output sample. */
  readonly taps: number;
  /** First input sample of each output sample; never decreases. */
  readonly first: Int32Array;
  /** Number of input samples of each output sample, 1 to `taps`. */
  readonly count: Int32Array;
  /** Weights with 22 fractional bits, those of an output sample `stride` behind those of the one before; 0 beyond its count. */
  readonly values: Int32Array;
  readonly stride: number;
}

const fractionalBits = 22;

const filters = {
  bilinear: {
    support: 1,
    weigh(distance: number): number {
      const x = Math.abs(distance);
      return x < 1 ? 1 - x : 0;
    },
  },
  bicubic: {
    support: 2,
    weigh(distance: number): number {
      const x = Math.abs(distance);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
  lanczos: {
    support: 3,
    weigh: (distance: number): number =>
      distance >= -3 && distance < 3 ? sinc(distance) * sinc(distance / 3) : 0,
  },
} as const satisfies Record<Resample, unknown>;

function sinc(distance: number): number {
  const x = distance * Math.PI;
  return x === 0 ? 1 : Math.sin(x) / x;
}

/**
 * Pillow's weights for resizing an axis of `input` samples to `output`: precompute_coeffs and normalize_coeffs_8bpc
 * of libImaging/Resample.c, in doubles and in its order of summation, so that every weight is the same integer.
 * Makes only those for a range of the output.
 */
export function resampleWeights(
  input: number,
  output: number,
  resample: Resample,
  { from: start, to: end }: SampleRange = { from: 0, to: output },
): Weights {
  const filter = filters[resample];
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const reach = filter.support * stretch;
  const inverse = 1 / stretch;
  const bound = Math.min(Math.ceil(reach) * 2 + 1, input);
  const first = new Int32Array(end - start);
  const count = new Int32Array(end - start);
  const values = new Int32Array((end - start) * bound);
  const row = new Float64Array(bound);
  let taps = 1;
  for (let i = 0; i < end - start; i++) {
    const centre = (start + i + 0.5) * scale;
    const from = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const n = Math.min(Math.trunc(centre + reach + 0.5), input) - from;
    let total = 0;
    for (let tap = 0; tap < n; tap++) {
      const weight = filter.weigh((tap + from - centre + 0.5) * inverse);
      row[tap] = weight;
      total += weight;
    }
    for (let tap = 0; tap < n; tap++) {
      const weight = (total === 0 ? row[tap]! : row[tap]! / total) * 2 ** fractionalBits;
      values[i * bound + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = from;
    count[i] = n;
    taps = Math.max(taps, n);
  }
  return { taps, first, count, values, stride: bound };
}

/** Number of bytes that {@link splitWeights} writes. */
export function splitWeightBytes(weights: Weights): number {
  return weights.first.length * ((weights.taps + 1) >> 1) * 8;
}

/** Writes the weights to the start of `target` as the kernel reads them: int16 hi0, hi1, lo0, lo1 per pair of taps. */
export function splitWeights(weights: Weights, target: Int16Array): void {
  const { taps, values, stride } = weights;
  let at = 0;
  for (let start = 0; start < values.length; start += stride) {
    for (let tap = 0; tap < taps; tap += 2) {
      const a = values[start + tap]!;
      const b = tap + 1 < taps ? values[start + tap + 1]! : 0;
      target[at] = a >> 15;
      target[at + 1] = b >> 15;
      target[at + 2] = a & 0x7fff;
      target[at + 3] = b & 0x7fff;
      at += 4;
    }
  }
}
