/** The quantile of at least one ascending value, linear between neighbours: numpy.quantile's default. */
export function quantile(sorted: Float64Array, share: number): number {
  const rank = (sorted.length - 1) * share;
  const below = Math.floor(rank);
  const lower = sorted[below]!;
  const upper = sorted[below + 1] ?? lower;
  return lower + (upper - lower) * (rank - below);
}

/** Two ends of a scale; `low` is not above `high`. */
export interface ValueRange {
  readonly low: number;
  readonly high: number;
}

/**
 * The range of the values of several lists, without the lowest and the highest `leftOut` of them. From 0 to 0 when there
 * is no value.
 */
export function rangeOf(lists: readonly Float64Array[], leftOut = 0): ValueRange {
  const all = new Float64Array(lists.reduce((sum, { length }) => sum + length, 0));
  if (all.length === 0) return { low: 0, high: 0 };
  let offset = 0;
  for (const list of lists) {
    all.set(list, offset);
    offset += list.length;
  }
  all.sort();
  return { low: quantile(all, leftOut), high: quantile(all, 1 - leftOut) };
}

/** How far along the range a value lies: 0 at its low end, 1 at its high end; one half where the ends coincide. */
export function shareOf(value: number, { low, high }: ValueRange): number {
  return high > low ? (value - low) / (high - low) : 0.5;
}
