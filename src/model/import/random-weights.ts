import type { TensorSource } from './tensor-source.ts';
import { convertWeights, type WeightDtype } from './weights.ts';

const chunkElements = 1 << 20;

/**
 * Seeded random weights for any tensor of a tower, at the scale of a freshly initialised one. A tensor's values depend
 * only on the seed, its name and its shape.
 */
export class RandomWeights implements TensorSource {
  readonly #seed: number;
  readonly #shapes = new Map<string, readonly number[]>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Accepts any shape, and keeps it for `read`. */
  check(tensor: string, shape: readonly number[]): Promise<void> {
    this.#shapes.set(tensor, shape);
    return Promise.resolve();
  }

  async *read(
    tensor: string,
    dtype: WeightDtype,
    rowElements: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (const values of randomValues(this.#seed, tensor, this.#shapes.get(tensor) ?? [], rowElements)) {
      const converted = convertWeights(new Uint8Array(values.buffer), 'F32', dtype);
      if ('bytes' in converted) yield converted.bytes;
    }
  }
}

/**
 * A tensor's values, uniformly distributed, in chunks of whole rows. Norms' weights are about 1, biases are small,
 * positions have a standard deviation of 0.5, and matrices one of 1 / sqrt(inputs), so that a product is as large as its
 * input.
 */
export function* randomValues(
  seed: number,
  tensor: string,
  shape: readonly number[],
  rowElements: number,
): Generator<Float32Array<ArrayBuffer>, void, undefined> {
  const total = shape.reduce((product, size) => product * size, 1);
  const inputs = shape.length > 1 ? total / shape[0]! : 1;
  const isNormWeight = shape.length === 1 && tensor.endsWith('.weight');
  const deviation = tensor.includes('position') ? 0.5 : shape.length > 1 ? 1 / Math.sqrt(inputs) : 0.02;
  // A uniform value of [-1, 1) has a standard deviation of 1 / sqrt(3); xorshift gives 32 signed bits.
  const scale = (deviation * Math.sqrt(3)) / 2 ** 31;
  const centre = isNormWeight ? 1 : 0;
  const chunk = Math.max(1, Math.floor(chunkElements / rowElements)) * rowElements;
  let state = hashName(seed, tensor);
  for (let done = 0; done < total; done += chunk) {
    const values = new Float32Array(Math.min(chunk, total - done));
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
