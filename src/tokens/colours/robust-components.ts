import { pickEvenly } from './pick-evenly.ts';
import { quantile, rangeOf, type ValueRange } from './quantile.ts';
import { dot, dotWithEach, requireWhole, tokenNorms, type TokenSet } from './token-set.ts';
import { topEigenvectors } from './top-eigenvectors.ts';

/** A principal component of tokens. */
export interface Component {
  /** Its unit vector, [channels]. The value of the largest magnitude, the first of equals, is positive. */
  readonly axis: Float64Array<ArrayBuffer>;
  /** Its share of the variance, 0 to 1. */
  readonly explained: number;
  /** Scores along the axis: their 1st and their 99th percentile. */
  readonly range: ValueRange;
}

export interface Components {
  /** The mean of the tokens, [channels]. */
  readonly centre: Float64Array<ArrayBuffer>;
  /** Largest variance first; fewer than asked for where the tokens vary in fewer directions. */
  readonly components: readonly Component[];
}

/** Enough for three components, and quick: the fit reads them up to 40 times. */
const mostTokens = 2048;
/** A token is an outlier if its norm lies this many interquartile ranges beyond the quartiles (Tukey's far out)... */
const fence = 3;
/** ...and among this share of the largest, or of the smallest: text on a blank page is no outlier. */
const mostOutliers = 0.05;
/** Scores at each end that a range leaves out. */
const beyondRange = 0.01;
/** A component of a smaller share of the variance is rounding. */
const leastShare = 1e-12;

/**
 * The first `wanted` principal components of all tokens of the sets together, which have the same channels. Robust: it
 * leaves out tokens of outlying norm, at most a tenth of them. Deterministic: of more than 2,048 tokens it reads 2,048,
 * evenly spread (pickEvenly). Throws RangeError without tokens, for sets of different channels, or for a token that is
 * not finite.
 */
export function robustComponents(sets: readonly TokenSet[], wanted: number): Components {
  const tokens = withoutOutliers(pickedTokens(sets));
  const centre = meanOf(tokens);
  const pairs = topEigenvectors(tokens.channels, wanted, (vector) => scatter(tokens, centre, vector));
  const variance = varianceAround(tokens, centre);
  const components = pairs
    .filter(({ value }) => value > leastShare * (variance + dot(centre, centre)))
    .map(({ value, vector }): Component => {
      const axis = withSign(vector);
      const offset = dot(centre, axis);
      const scores = dotWithEach(tokens, axis).map((along) => along - offset);
      return { axis, explained: value / variance, range: rangeOf([scores], beyondRange) };
    });
  return { centre, components };
}

/** A copy of the tokens that are read. */
function pickedTokens(sets: readonly TokenSet[]): TokenSet {
  const { channels } = sets[0] ?? { channels: 0 };
  for (const set of sets) {
    requireWhole(set);
    if (set.channels !== channels) {
      throw new RangeError(`tokens of ${channels} and of ${set.channels} channels have no common components`);
    }
  }
  const total = sets.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) throw new RangeError('there are no tokens');
  const picks = pickEvenly(total, mostTokens);
  const data = new Float32Array(picks.length * channels);
  let [set, before] = [0, 0];
  for (const [token, index] of picks.entries()) {
    while (index >= before + sets[set]!.count) before += sets[set++]!.count;
    const start = (index - before) * channels;
    data.set(sets[set]!.data.subarray(start, start + channels), token * channels);
  }
  return { data, count: picks.length, channels };
}

/** Moves the other tokens together, in the same buffer. */
function withoutOutliers(tokens: TokenSet): TokenSet {
  const norms = tokenNorms(tokens);
  if (!norms.every(Number.isFinite)) throw new RangeError('a token is not finite');
  const sorted = norms.toSorted();
  const [lower, upper] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const beyond = fence * (upper - lower);
  const least = Math.min(lower - beyond, quantile(sorted, mostOutliers));
  const most = Math.max(upper + beyond, quantile(sorted, 1 - mostOutliers));
  const { data, channels } = tokens;
  let count = 0;
  for (const [token, norm] of norms.entries()) {
    if (norm < least || norm > most) continue;
    data.copyWithin(count * channels, token * channels, (token + 1) * channels);
    count++;
  }
  return { data: data.subarray(0, count * channels), count, channels };
}

function meanOf({ data, count, channels }: TokenSet): Float64Array<ArrayBuffer> {
  const sum = new Float64Array(channels);
  for (let start = 0; start < data.length; start += channels) {
    for (let i = 0; i < channels; i++) sum[i]! += data[start + i]!;
  }
  return sum.map((value) => value / count);
}

/** The covariance matrix of the tokens, times the vector. */
function scatter(tokens: TokenSet, centre: Float64Array, vector: Float64Array): Float64Array {
  const { data, count, channels } = tokens;
  const product = new Float64Array(channels);
  const offset = dot(centre, vector);
  let scores = 0;
  for (const [token, along] of dotWithEach(tokens, vector).entries()) {
    const score = along - offset;
    scores += score;
    const start = token * channels;
    for (let i = 0; i < channels; i++) product[i]! += score * data[start + i]!;
  }
  for (let i = 0; i < channels; i++) product[i] = (product[i]! - scores * centre[i]!) / count;
  return product;
}

function varianceAround({ data, count, channels }: TokenSet, centre: Float64Array): number {
  let sum = 0;
  for (let start = 0; start < data.length; start += channels) {
    for (let i = 0; i < channels; i++) sum += (data[start + i]! - centre[i]!) ** 2;
  }
  return sum / count;
}

function withSign(vector: Float64Array): Float64Array<ArrayBuffer> {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return Float64Array.from(vector, (value) => (largest < 0 ? -value : value));
}
