import type { TokenSet } from '../../tokens/colours/token-set.ts';

/** The dot products of all pairs of tokens, in float64. It keeps half of the matrix: 4 n (n + 1) bytes for n tokens. */
export class GramMatrix {
  readonly size: number;
  /** Rows below one another, each up to its diagonal. */
  readonly #products: Float64Array;
  /** The mean of each row. */
  readonly #means: Float64Array;
  readonly #mean: number;
  /** The largest square of a token's length. */
  readonly largest: number;

  private constructor(size: number, products: Float64Array) {
    this.size = size;
    this.#products = products;
    this.#means = new Float64Array(size);
    this.largest = 0;
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < i; j++) {
        const product = products[rowStart(i) + j]!;
        this.#means[i]! += product / size;
        this.#means[j]! += product / size;
      }
      const own = products[rowStart(i) + i]!;
      this.#means[i]! += own / size;
      this.largest = Math.max(this.largest, own);
    }
    this.#mean = this.#means.reduce((sum, mean) => sum + mean, 0) / size;
  }

  static of({ data, count, channels }: TokenSet): GramMatrix {
    const products = new Float64Array(rowStart(count));
    // Once, not at every product.
    const values = Float64Array.from(data);
    for (let i = 0; i < count; i += 2) {
      for (let j = 0; j <= i + 1 && j < count; j += 2) putBlock(products, values, { i, j, count, channels });
    }
    return new GramMatrix(count, products);
  }

  /** The product of tokens i and j. */
  at(i: number, j: number): number {
    return i >= j ? this.#products[rowStart(i) + j]! : this.#products[rowStart(j) + i]!;
  }

  /** The same of tokens whose mean is moved to 0: HKH. Needs j <= i. */
  centredAt(i: number, j: number): number {
    return this.#products[rowStart(i) + j]! - this.#means[i]! - this.#means[j]! + this.#mean;
  }
}

function rowStart(row: number): number {
  return (row * (row + 1)) / 2;
}

/** Puts the products of tokens i and i + 1 with j and j + 1, as far as they exist, in one pass over their values. */
function putBlock(
  products: Float64Array,
  values: Float64Array,
  { i, j, count, channels }: { i: number; j: number; count: number; channels: number },
): void {
  const [rowI, rowJ] = [i * channels, j * channels];
  // A token beyond the last is read as the one before it, and its products are not kept.
  const [nextI, nextJ] = [i + 1 < count ? rowI + channels : rowI, j + 1 < count ? rowJ + channels : rowJ];
  let [ij, ijNext, iNextJ, bothNext] = [0, 0, 0, 0];
  for (let channel = 0; channel < channels; channel++) {
    const x = values[rowI + channel]!;
    const xNext = values[nextI + channel]!;
    const y = values[rowJ + channel]!;
    const yNext = values[nextJ + channel]!;
    ij += x * y;
    ijNext += x * yNext;
    iNextJ += xNext * y;
    bothNext += xNext * yNext;
  }
  products[rowStart(i) + j] = ij;
  if (j + 1 <= i) products[rowStart(i) + j + 1] = ijNext;
  if (i + 1 >= count) return;
  products[rowStart(i + 1) + j] = iNextJ;
  if (j + 1 <= i + 1) products[rowStart(i + 1) + j + 1] = bothNext;
}
