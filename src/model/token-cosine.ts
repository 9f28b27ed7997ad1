/** Mean over tokens of the cosine between two sets of tokens [tokens, channels]; NaN when a token is not finite. */
export function meanTokenCosine(a: ArrayLike<number>, b: ArrayLike<number>, channels: number): number {
  let sum = 0;
  for (let token = 0; token < a.length; token += channels) sum += cosine(a, b, token, channels);
  return sum / (a.length / channels);
}

/** Of `size` values from `start` on; two tokens of zeros are alike. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>, start: number, size: number): number {
  let [product, powerA, powerB] = [0, 0, 0];
  for (let i = start; i < start + size; i += 1) {
    const [x, y] = [a[i]!, b[i]!];
    product += x * y;
    powerA += x * x;
    powerB += y * y;
  }
  if (powerA === 0 && powerB === 0) return 1;
  return product / Math.sqrt(powerA * powerB || 1);
}
