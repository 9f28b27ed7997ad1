/**
 * The cosine of two tokens from their dot product and their sums of squares: 1 for two tokens of zeros, 0 for one of
 * zeros and another. It takes one root of the product, not a product of two roots, so that the cosine of a token with
 * itself is exactly 1.
 */
export function cosineOf(dot: number, squaresA: number, squaresB: number): number {
  if (squaresA === 0 || squaresB === 0) return squaresA === squaresB ? 1 : 0;
  return Math.min(1, Math.max(-1, dot / Math.sqrt(squaresA * squaresB)));
}

/** Mean over tokens of the cosine between two sets of tokens [tokens, channels]; NaN when a token is not finite. */
export function meanTokenCosine(a: ArrayLike<number>, b: ArrayLike<number>, channels: number): number {
  let sum = 0;
  for (let start = 0; start < a.length; start += channels) {
    let [dot, squaresA, squaresB] = [0, 0, 0];
    for (let i = start; i < start + channels; i += 1) {
      const [x, y] = [a[i]!, b[i]!];
      dot += x * y;
      squaresA += x * x;
      squaresB += y * y;
    }
    sum += cosineOf(dot, squaresA, squaresB);
  }
  return sum / (a.length / channels);
}
