import type { GramMatrix } from './gram-matrix.ts';

/** Neighbours of a token that are compared, as in Huh et al. */
export const neighbourCount = 10;

/**
 * The `neighbourCount` nearest other tokens of each token by cosine, nearest first, as indices [size, neighbourCount]; of
 * equals the lower index is nearer. A token of zeros has cosine 0 to all. Throws RangeError for too few tokens.
 */
export function nearestNeighbours(gram: GramMatrix): Int32Array {
  const { size } = gram;
  if (size <= neighbourCount)
    throw new RangeError(`${size} tokens have no ${neighbourCount} neighbours each`);
  const lengths = Float64Array.from({ length: size }, (_, i) => Math.sqrt(gram.at(i, i)) || 1);
  const nearest = new Int32Array(size * neighbourCount);
  const cosines = new Float64Array(neighbourCount);
  for (let i = 0; i < size; i++) {
    const row = nearest.subarray(i * neighbourCount, (i + 1) * neighbourCount);
    let found = 0;
    for (let j = 0; j < size; j++) {
      if (j === i) continue;
      // The token's own length does not change the order.
      const cosine = gram.at(i, j) / lengths[j]!;
      if (found === neighbourCount && cosine <= cosines[neighbourCount - 1]!) continue;
      let place = found < neighbourCount ? found++ : neighbourCount - 1;
      for (; place > 0 && cosines[place - 1]! < cosine; place--) {
        cosines[place] = cosines[place - 1]!;
        row[place] = row[place - 1]!;
      }
      cosines[place] = cosine;
      row[place] = j;
    }
  }
  return nearest;
}

/**
 * The mean share of a token's nearest neighbours that two encoders have in common: the mutual k-nearest-neighbour metric
 * of Huh et al., The Platonic Representation Hypothesis (ICML 2024, arXiv:2405.07987), with k = 10. Takes two answers of
 * {@link nearestNeighbours} for the same places.
 */
export function neighbourAgreement(a: Int32Array, b: Int32Array): number {
  let common = 0;
  for (let start = 0; start < a.length; start += neighbourCount) {
    const own = b.subarray(start, start + neighbourCount);
    for (let i = start; i < start + neighbourCount; i++) if (own.includes(a[i]!)) common++;
  }
  return common / a.length;
}

/** The agreement to expect of two encoders that have nothing in common. */
export function chanceAgreement(size: number): number {
  return neighbourCount / (size - 1);
}
