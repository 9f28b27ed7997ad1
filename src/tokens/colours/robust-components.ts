import { pickEvenly } from './pick-evenly.ts';
import { quantile, rangeOf, type ValueRange } from './quantile.ts';
import { dot, dotWith, requireWhole, type TokenSet } from './token-set.ts';
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

/** One token of a set. */
interface Row {
  readonly data: Float32Array;
  readonly start: number;
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
  const [first] = sets;
  if (first === undefined) throw new RangeError('there are no tokens');
  const { channels } = first;
  const rows = withoutOutliers(pickedRows(sets, channels), channels);
  const centre = meanOf(rows, channels);
  const pairs = topEigenvectors(channels, wanted, (vector) => scatter(rows, centre, vector));
  const variance = varianceAround(rows, centre);
  const components = pairs
    .filter(({ value }) => value > leastShare * (variance + dot(centre, centre)))
    .map(({ value, vector }): Component => {
      const axis = withSign(vector);
      const offset = dot(centre, axis);
      const scores = Float64Array.from(rows, ({ data, start }) => dotWith(data, start, axis) - offset);
      return { axis, explained: value / variance, range: rangeOf([scores], beyondRange) };
    });
  return { centre, components };
}

function pickedRows(sets: readonly TokenSet[], channels: number): Row[] {
  for (const set of sets) {
    requireWhole(set);
    if (set.channels !== channels) {
      throw new RangeError(`tokens of ${channels} and of ${set.channels} channels have no common components`);
    }
  }
  const counts = sets.map(({ count }) => count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) throw new RangeError('there are no tokens');
  const rows: Row[] = [];
  let [set, before] = [0, 0];
  for (const index of pickEvenly(total, mostTokens)) {
    while (index >= before + counts[set]!) before += counts[set++]!;
    rows.push({ data: sets[set]!.data, start: (index - before) * channels });
  }
  return rows;
}

function withoutOutliers(rows: readonly Row[], channels: number): Row[] {
  const norms = Float64Array.from(rows, ({ data, start }) => {
    let sum = 0;
    for (let i = start; i < start + channels; i++) sum += data[i]! * data[i]!;
    return Math.sqrt(sum);
  });
  if (!norms.every(Number.isFinite)) throw new RangeError('a token is not finite');
  const sorted = norms.toSorted();
  const [lower, upper] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const beyond = fence * (upper - lower);
  const least = Math.min(lower - beyond, quantile(sorted, mostOutliers));
  const most = Math.max(upper + beyond, quantile(sorted, 1 - mostOutliers));
  return rows.filter((_, index) => norms[index]! >= least && norms[index]! <= most);
}

function meanOf(rows: readonly Row[], channels: number): Float64Array<ArrayBuffer> {
  const sum = new Float64Array(channels);
  for (const { data, start } of rows) for (let i = 0; i < channels; i++) sum[i]! += data[start + i]!;
  return sum.map((value) => value / rows.length);
}

/** The covariance matrix of the rows, times the vector. */
function scatter(rows: readonly Row[], centre: Float64Array, vector: Float64Array): Float64Array {
  const channels = vector.length;
  const product = new Float64Array(channels);
  const offset = dot(centre, vector);
  let scores = 0;
  for (const { data, start } of rows) {
    const score = dotWith(data, start, vector) - offset;
    scores += score;
    for (let i = 0; i < channels; i++) product[i]! += score * data[start + i]!;
  }
  for (let i = 0; i < channels; i++) product[i] = (product[i]! - scores * centre[i]!) / rows.length;
  return product;
}

function varianceAround(rows: readonly Row[], centre: Float64Array): number {
  let sum = 0;
  for (const { data, start } of rows) {
    for (let i = 0; i < centre.length; i++) sum += (data[start + i]! - centre[i]!) ** 2;
  }
  return sum / rows.length;
}

function withSign(vector: Float64Array): Float64Array<ArrayBuffer> {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return Float64Array.from(vector, (value) => (largest < 0 ? -value : value));
}
