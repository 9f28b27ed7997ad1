const chunkElements = 1 << 20;

/**
 * Seeded random values of a tensor, uniformly distributed, in chunks. They depend only on the seed, the name and the shape.
 * Norms' weights are about 1, biases are small, positions have a standard deviation of 0.5, and matrices one of
 * 1 / sqrt(inputs), so that a product is as large as its input.
 */
export function* randomValues(
  seed: number,
  tensor: string,
  shape: readonly number[],
): Generator<Float32Array<ArrayBuffer>, void, undefined> {
  const total = shape.reduce((product, size) => product * size, 1);
  const inputs = shape.length > 1 ? total / shape[0]! : 1;
  const isNormWeight = shape.length === 1 && tensor.endsWith('.weight');
  const deviation = tensor.includes('position') ? 0.5 : shape.length > 1 ? 1 / Math.sqrt(inputs) : 0.02;
  // A uniform value of [-1, 1) has a standard deviation of 1 / sqrt(3); xorshift gives 32 signed bits.
  const scale = (deviation * Math.sqrt(3)) / 2 ** 31;
  const centre = isNormWeight ? 1 : 0;
  let state = hashName(seed, tensor);
  for (let done = 0; done < total; done += chunkElements) {
    const values = new Float32Array(Math.min(chunkElements, total - done));
    for (let i = 0; i < values.length; i += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      values[i] = centre + state * scale;
    }
    yield values;
  }
}

/** FNV-1a of the name, seeded; never 0, which xorshift would never leave. */
function hashName(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash === 0 ? 1 : hash;
}
