import { type EigenPair, symmetricEigen } from './symmetric-eigen.ts';
import { dot } from './token-set.ts';

const mostSteps = 40;
/** Steps between two looks at what has converged. */
const stepsPerLook = 8;
/** Of an eigenpair, relative to the largest eigenvalue. */
const residualLimit = 1e-6;
/** What rounding leaves of a vector that lies in the space already searched. */
const rounding = 1e-10;

/**
 * The `wanted` largest eigenpairs of a symmetric matrix that is known by its product with a vector, largest first: by
 * Lanczos' method with full reorthogonalisation (Golub and Van Loan, Matrix Computations, 10.3), from a fixed start. It
 * stops when they have converged, after 40 products at the latest; the vectors then span the best approximation found.
 */
export function topEigenvectors(
  size: number,
  wanted: number,
  product: (vector: Float64Array) => Float64Array,
): EigenPair[] {
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const besides: number[] = [];
  let next = startVector(size, basis);
  while (next !== undefined) {
    basis.push(next);
    const image = product(next);
    diagonal.push(dot(next, image));
    removeAll(image, basis);
    const beside = Math.sqrt(dot(image, image));
    const largest = Math.max(...diagonal, ...besides);
    const isExhausted = beside <= largest * rounding;
    besides.push(isExhausted ? 0 : beside);
    const steps = basis.length;
    if (steps === Math.min(size, mostSteps)) break;
    if (steps % stepsPerLook === 0) {
      const pairs = symmetricEigen(tridiagonal(diagonal, besides));
      const limit = residualLimit * pairs[0]!.value;
      // Where the space was exhausted, more eigenvectors of the same values may lie outside of it.
      if (
        !isExhausted &&
        pairs.slice(0, wanted).every(({ vector }) => beside * Math.abs(vector.at(-1)!) <= limit)
      )
        break;
    }
    next = isExhausted ? startVector(size, basis) : scaled(image, 1 / beside);
  }
  const pairs = symmetricEigen(tridiagonal(diagonal, besides)).slice(0, wanted);
  return pairs.map(({ value, vector }) => ({ value, vector: combined(basis, vector) }));
}

/** A unit vector at right angles to the basis; undefined if the basis leaves no room. */
function startVector(size: number, basis: readonly Float64Array[]): Float64Array | undefined {
  // Multiples of an irrational number, modulo 1; another one for each start.
  const step = 0.6180339887498949 + basis.length * Math.SQRT2;
  const vector = Float64Array.from({ length: size }, (_, i) => (((i + 1) * step) % 1) - 0.5);
  const before = Math.sqrt(dot(vector, vector));
  removeAll(vector, basis);
  const left = Math.sqrt(dot(vector, vector));
  return left <= before * rounding ? undefined : scaled(vector, 1 / left);
}

/** Makes the vector orthogonal to the basis; once more for what rounding left. */
function removeAll(vector: Float64Array, basis: readonly Float64Array[]): void {
  for (let round = 0; round < 2; round++) {
    for (const one of basis) {
      const along = dot(vector, one);
      for (let i = 0; i < vector.length; i++) vector[i]! -= along * one[i]!;
    }
  }
}

function tridiagonal(diagonal: readonly number[], besides: readonly number[]): Float64Array[] {
  return diagonal.map((value, i) => {
    const row = new Float64Array(diagonal.length);
    row[i] = value;
    if (i > 0) row[i - 1] = besides[i - 1]!;
    if (i + 1 < diagonal.length) row[i + 1] = besides[i]!;
    return row;
  });
}

function combined(basis: readonly Float64Array[], shares: Float64Array): Float64Array {
  const sum = new Float64Array(basis[0]!.length);
  for (const [index, one] of basis.entries()) {
    for (let i = 0; i < sum.length; i++) sum[i]! += shares[index]! * one[i]!;
  }
  return scaled(sum, 1 / Math.sqrt(dot(sum, sum)));
}

function scaled(vector: Float64Array, factor: number): Float64Array {
  return vector.map((value) => value * factor);
}
