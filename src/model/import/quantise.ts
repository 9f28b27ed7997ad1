/** Largest int8 magnitude in use: symmetric, so that the zero point is 0. */
const largest = 127;
/** Rows that are transposed at a time, so that source and target stay in the processor's cache. */
const tile = 64;

/** The smallest normal float32. */
const leastScale = 2 ** -126;

/** A row's scale: its largest magnitude over 127 as a float32, or 1 where that is 0 or too small to divide by. */
export function rowScale(row: Float32Array): number {
  let magnitude = 0;
  for (let i = 0; i < row.length; i += 1) {
    const value = Math.abs(row[i]!);
    if (value > magnitude) magnitude = value;
  }
  const scale = Math.fround(magnitude / largest);
  return scale < leastScale ? 1 : scale;
}

/** Writes round(row / scale) into `to`; with the row's own scale, these are -127 to 127. */
export function quantiseRow(row: Float32Array, scale: number, to: Int8Array): void {
  // Above 0 the integer part is the rounded value; Math.round takes seven times as long.
  for (let i = 0; i < row.length; i += 1) to[i] = ((row[i]! / scale + largest + 1.5) | 0) - largest - 1;
}

/**
 * Quantises a matrix [N, K] for DynamicQuantizeMatMul, from float32 in chunks of whole rows. The result starts with
 * int8 [K, N] and ends, at `sizeBytes`, with the scales, float32 [N]; zeros lie between. A weight is its int8 value times
 * its output channel's scale.
 */
export async function quantiseMatrix(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  [outputs = 1, inputs = 1]: readonly number[],
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(sizeBytes);
  const columns = new Int8Array(result.buffer, 0, outputs * inputs);
  const scales = new Float32Array(outputs);
  const rows = new Int8Array(tile * inputs);
  let output = 0;
  for await (const chunk of chunks) {
    const values = new Float32Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 4);
    for (let start = 0; start < values.length; start += rows.length) {
      const count = Math.min(tile, (values.length - start) / inputs);
      for (let row = 0; row < count; row += 1) {
        const from = values.subarray(start + row * inputs, start + (row + 1) * inputs);
        const scale = rowScale(from);
        scales[output + row] = scale;
        quantiseRow(from, scale, rows.subarray(row * inputs, (row + 1) * inputs));
      }
      transposeRows(rows, count, inputs, columns, output, outputs);
      output += count;
    }
  }
  result.set(new Uint8Array(scales.buffer), sizeBytes - scales.byteLength);
  return result;
}

/** Writes `count` rows of `width` values as the columns from `column` on of a matrix with rows of `stride`. */
function transposeRows(
  rows: Int8Array,
  count: number,
  width: number,
  to: Int8Array,
  column: number,
  stride: number,
): void {
  for (let x = 0; x < width; x += 1) {
    const at = x * stride + column;
    for (let y = 0; y < count; y += 1) to[at + y] = rows[y * width + x]!;
  }
}
