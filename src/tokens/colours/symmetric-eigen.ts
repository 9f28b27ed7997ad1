/** An eigenvalue with its unit eigenvector. */
export interface EigenPair {
  readonly value: number;
  readonly vector: Float64Array;
}

const mostSweeps = 50;

/** All eigenpairs of a small symmetric matrix given by its rows, largest eigenvalue first, by Jacobi's rotations. */
export function symmetricEigen(rows: readonly Float64Array[]): EigenPair[] {
  const size = rows.length;
  const matrix = rows.map((row) => Float64Array.from(row));
  /** Row i becomes the eigenvector of value i. */
  const vectors = rows.map((_, i) => Float64Array.from({ length: size }, (_one, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < mostSweeps && !isDiagonal(matrix); sweep++) {
    for (let p = 0; p < size; p++) for (let q = p + 1; q < size; q++) rotate(matrix, vectors, p, q);
  }
  const pairs = vectors.map((vector, i) => ({ value: matrix[i]![i]!, vector }));
  return pairs.sort((a, b) => b.value - a.value);
}

/** Whether no element beside the diagonal matters to its values. */
function isDiagonal(matrix: readonly Float64Array[]): boolean {
  let [beside, along] = [0, 0];
  for (const [i, row] of matrix.entries()) {
    for (const [j, value] of row.entries()) {
      if (i === j) along = Math.max(along, Math.abs(value));
      else beside = Math.max(beside, Math.abs(value));
    }
  }
  return beside <= along * 1e-16;
}

/** Turns rows and columns p and q so that the element at (p, q) becomes 0. */
function rotate(matrix: readonly Float64Array[], vectors: readonly Float64Array[], p: number, q: number) {
  const beside = matrix[p]![q]!;
  if (beside === 0) return;
  const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * beside);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  for (const row of matrix) {
    const [x, y] = [row[p]!, row[q]!];
    row[p] = cosine * x - sine * y;
    row[q] = sine * x + cosine * y;
  }
  for (const rows of [matrix, vectors]) {
    const [rowP, rowQ] = [rows[p]!, rows[q]!];
    for (let i = 0; i < rowP.length; i++) {
      const [x, y] = [rowP[i]!, rowQ[i]!];
      rowP[i] = cosine * x - sine * y;
      rowQ[i] = sine * x + cosine * y;
    }
  }
  // What rounding left there would keep the matrix from becoming diagonal.
  matrix[p]![q] = 0;
  matrix[q]![p] = 0;
}
