/** Which matrices stay float32, and the cosine measured with the others in int8. */
export interface MatrixChoice {
  /** The worst first. */
  readonly float32: readonly string[];
  readonly cosine: number;
}

/**
 * The fewest matrices, the worst first by their own relative error, that must stay float32 for `cosineOf` to reach
 * `minCosine`. The order is a cheap proxy; the cosine of what is chosen is measured, not assumed. Measures once when
 * all can be int8, else about log2(matrices) times more, by halving. With every matrix in float32 the cosine is 1.
 */
export async function chooseMatrices(
  errors: ReadonlyMap<string, number>,
  minCosine: number,
  cosineOf: (float32: ReadonlySet<string>) => Promise<number>,
): Promise<MatrixChoice> {
  const worstFirst = [...errors].toSorted(([, a], [, b]) => badness(b) - badness(a)).map(([name]) => name);
  const measure = async (kept: number): Promise<MatrixChoice> => {
    const float32 = worstFirst.slice(0, kept);
    return { float32, cosine: kept === worstFirst.length ? 1 : await cosineOf(new Set(float32)) };
  };
  const none = await measure(0);
  if (none.cosine >= minCosine) return none;
  let tooFew = 0;
  let best: MatrixChoice = { float32: worstFirst, cosine: 1 };
  while (best.float32.length - tooFew > 1) {
    const tried = await measure((tooFew + best.float32.length) >> 1);
    if (tried.cosine >= minCosine) best = tried;
    else tooFew = tried.float32.length;
  }
  return best;
}

/** An error to sort by: NaN, which infinite values give, is the worst. */
function badness(error: number): number {
  return Number.isNaN(error) ? Number.MAX_VALUE : Math.min(error, Number.MAX_VALUE);
}
