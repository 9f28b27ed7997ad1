import { ServiceError } from '../errors/service-error.ts';
import { cosineOf } from '../model/import/cosine.ts';
import { quantile } from './colours/quantile.ts';
import { byteLengthOf, type TokenTensor } from './tensor.ts';

/** The differences of two sets of tokens, token by token. */
export interface TokenComparison {
  /** Cosine of each pair of tokens, from -1 to 1. */
  readonly cosines: Float64Array<ArrayBuffer>;
  /** Mean |a - b| over all values: plain L1, which the paper trains the student with. */
  readonly meanL1: number;
  /** Largest |a - b| of any value. */
  readonly largestDifference: number;
}

/** The figures of one comparison, or of several taken as one. */
export interface ComparisonSummary {
  readonly tokens: number;
  readonly cosine: { readonly mean: number; readonly percentile1: number; readonly minimum: number };
  readonly meanL1: number;
  readonly largestDifference: number;
}

/**
 * Compares tokens of `channels` values each, row-major, pair by pair; sums are float64. The cosine of two zero tokens
 * is 1, of a zero token and another 0. Throws `internal` for a value that is not finite, and RangeError for sets of
 * different lengths or of broken tokens.
 */
export function compareTokens(a: Float32Array, b: Float32Array, channels: number): TokenComparison {
  const tokens = a.length / channels;
  if (a.length !== b.length || !Number.isInteger(tokens) || tokens === 0) {
    throw new RangeError(
      `${a.length} and ${b.length} values are not the same tokens of ${channels} channels`,
    );
  }
  const cosines = new Float64Array(tokens);
  let l1 = 0;
  let largestDifference = 0;
  for (let token = 0; token < tokens; token++) {
    let dot = 0;
    let squaresA = 0;
    let squaresB = 0;
    for (let index = token * channels; index < (token + 1) * channels; index++) {
      const x = a[index]!;
      const y = b[index]!;
      dot += x * y;
      squaresA += x * x;
      squaresB += y * y;
      const difference = Math.abs(x - y);
      l1 += difference;
      if (difference > largestDifference) largestDifference = difference;
    }
    if (!Number.isFinite(squaresA + squaresB)) {
      throw new ServiceError('internal', 'Tokens that are not finite numbers cannot be compared.');
    }
    cosines[token] = cosineOf(dot, squaresA, squaresB);
  }
  return { cosines, meanL1: l1 / a.length, largestDifference };
}

/** The figures of at least one comparison of the same channels, with the same weight for each token. */
export function summarise(comparisons: readonly TokenComparison[]): ComparisonSummary {
  const tokens = comparisons.reduce((sum, { cosines }) => sum + cosines.length, 0);
  const sorted = new Float64Array(tokens);
  let offset = 0;
  let l1 = 0;
  for (const { cosines, meanL1 } of comparisons) {
    sorted.set(cosines, offset);
    offset += cosines.length;
    l1 += meanL1 * cosines.length;
  }
  sorted.sort();
  return {
    tokens,
    cosine: {
      mean: sorted.reduce((sum, cosine) => sum + cosine, 0) / tokens,
      percentile1: quantile(sorted, 0.01),
      minimum: sorted[0]!,
    },
    meanL1: l1 / tokens,
    largestDifference: Math.max(...comparisons.map(({ largestDifference }) => largestDifference)),
  };
}

/** The values of a float32 tensor, in a buffer of their own. */
export function float32Values({ dtype, parts }: TokenTensor): Float32Array<ArrayBuffer> {
  if (dtype !== 'float32') throw new RangeError(`the tokens are ${dtype}, not float32`);
  const bytes = new Uint8Array(byteLengthOf(parts));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return new Float32Array(bytes.buffer);
}
