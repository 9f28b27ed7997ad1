/** Which matrices stay float32, and the cosine measured with the others in int8. */
export interface MatrixChoice {
  /** Worst first. */
  readonly float32: readonly string[];
  readonly cosine: number;
}

/**
 * The fewest matrices that must stay float32 for `cosineOf` to reach `minCosine`, taken worst first by their own
 * relative error. That order is a cheap proxy, but the cosine of the choice is measured. Measures once when all can be
 * int8, and else about log2(matrices) times more, by bisection. With every matrix in float32 the cosine is 1.
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

/** An error as a sort key: NaN, which infinite values give, is the worst. */
function badness(error: number): number {
  return Number.isNaN(error) ? Number.MAX_VALUE : Math.min(error, Number.MAX_VALUE);
}
