import { dotWithEach, requireWhole, tokenNorms, type TokenSet } from './token-set.ts';

/** Cosines of one token to all tokens of a set. The norms are computed once, for a caller who asks often. */
export class TokenCosines {
  readonly #tokens: TokenSet;
  readonly #norms: Float64Array;

  constructor(tokens: TokenSet) {
    requireWhole(tokens);
    this.#tokens = tokens;
    this.#norms = tokenNorms(tokens);
  }

  /** The cosine of each token to token `index` of the set, -1 to 1. A token of zeros has cosine 0 to all. */
  toToken(index: number): Float64Array<ArrayBuffer> {
    const { data, channels } = this.#tokens;
    return this.to(data.subarray(index * channels, (index + 1) * channels));
  }

  /** The cosine of each token to a vector of as many channels. */
  to(vector: ArrayLike<number>): Float64Array<ArrayBuffer> {
    const { count, channels } = this.#tokens;
    if (vector.length !== channels) {
      throw new RangeError(`a vector of ${vector.length} values is no token of ${channels} channels`);
    }
    const query = Float64Array.from(vector);
    const length = Math.sqrt(query.reduce((sum, value) => sum + value * value, 0));
    const cosines = dotWithEach(this.#tokens, query);
    for (let token = 0; token < count; token++) {
      const lengths = length * this.#norms[token]!;
      cosines[token] = lengths === 0 ? 0 : Math.min(1, Math.max(-1, cosines[token]! / lengths));
    }
    return cosines;
  }
}
