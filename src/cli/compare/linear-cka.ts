import type { GramMatrix } from './gram-matrix.ts';

/** Linear centred kernel alignment of two sets of tokens at the same places. */
export interface LinearCka {
  /** From unbiased estimates of HSIC. Undefined where a set's own estimate is not positive, as for equal tokens. */
  readonly debiased: number | undefined;
  /** As Kornblith et al. define it: too large for few tokens of many channels. */
  readonly biased: number | undefined;
}

/** Both estimates of HSIC, up to factors that cancel. */
interface Hsic {
  readonly debiased: number;
  readonly biased: number;
}

/**
 * CKA with a linear kernel (Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019,
 * arXiv:1905.00414). The debiased one takes the unbiased estimate of HSIC by Song et al. (JMLR 2012), as Nguyen et al. do (ICLR 2021,
 * arXiv:2010.15327, equation 3). Needs at least 4 tokens.
 */
export function linearCka(a: GramMatrix, b: GramMatrix): LinearCka {
  const [ab, aa, bb] = [hsic(a, b), hsic(a, a), hsic(b, b)];
  const ratio = (of: keyof Hsic) =>
    aa[of] > roundingOf(a) && bb[of] > roundingOf(b) ? ab[of] / Math.sqrt(aa[of] * bb[of]) : undefined;
  return { debiased: ratio('debiased'), biased: ratio('biased') };
}

/** What rounding may leave of HSIC for tokens that do not differ. */
function roundingOf({ size, largest }: GramMatrix): number {
  return (1e-12 * size * largest) ** 2;
}

/**
 * With K and L centred, their rows sum to 0. So without its diagonal, row i of K sums to -K[i, i], and Song's three terms need
 * only the sum of all products and the diagonals.
 */
function hsic(a: GramMatrix, b: GramMatrix): Hsic {
  const n = a.size;
  if (b.size !== n || n < 4) throw new RangeError(`CKA of ${n} and ${b.size} tokens is not defined`);
  let [beside, along, traceA, traceB] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) beside += 2 * a.centredAt(i, j) * b.centredAt(i, j);
    const [x, y] = [a.centredAt(i, i), b.centredAt(i, i)];
    along += x * y;
    traceA += x;
    traceB += y;
  }
  const pairs = (traceA * traceB) / ((n - 1) * (n - 2));
  return { debiased: beside + pairs - (2 / (n - 2)) * along, biased: beside + along };
}
