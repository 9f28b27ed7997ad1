/**
 * The cosine of two tokens from their product and their squares. Two tokens of zeros are alike; one of zeros and
 * another have 0. One root of the product, not a product of roots: it makes the cosine of a token with itself
 * exactly 1.
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
