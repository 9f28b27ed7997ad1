/** Tokens of one width: `data` holds the `channels` values of token 0, then those of token 1, and so on. */
export interface TokenSet {
  readonly data: Float32Array;
  readonly count: number;
  readonly channels: number;
}

/** Throws RangeError unless the set has `count` tokens of `channels` values. */
export function requireWhole({ data, count, channels }: TokenSet): void {
  if (data.length === count * channels && channels > 0) return;
  throw new RangeError(`${data.length} values are not ${count} tokens of ${channels} channels`);
}

/** The dot product of `vector` with each token. */
export function dotWithEach(
  { data, count, channels }: TokenSet,
  vector: Float64Array,
): Float64Array<ArrayBuffer> {
  const dots = new Float64Array(count);
  const grouped = count - (count % 4);
  // Four tokens at a time, so that each value of the vector is read once for all of them.
  for (let token = 0; token < grouped; token += 4) {
    const start = token * channels;
    const [second, third, fourth] = [start + channels, start + 2 * channels, start + 3 * channels];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < channels; i++) {
      const value = vector[i]!;
      a += data[start + i]! * value;
      b += data[second + i]! * value;
      c += data[third + i]! * value;
      d += data[fourth + i]! * value;
    }
    dots[token] = a;
    dots[token + 1] = b;
    dots[token + 2] = c;
    dots[token + 3] = d;
  }
  for (let token = grouped; token < count; token++) {
    for (let i = 0; i < channels; i++) dots[token]! += data[token * channels + i]! * vector[i]!;
  }
  return dots;
}

/** The dot product of two vectors. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The Euclidean norm of each token. */
export function tokenNorms({ data, count, channels }: TokenSet): Float64Array<ArrayBuffer> {
  const norms = new Float64Array(count);
  for (let token = 0; token < count; token++) {
    let squares = 0;
    for (let i = token * channels; i < (token + 1) * channels; i++) squares += data[i]! * data[i]!;
    norms[token] = Math.sqrt(squares);
  }
  return norms;
}
